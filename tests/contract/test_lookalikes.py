"""W7: unknown fields are ignored, but nothing that is nearly a dangerous one; ``dryRun`` is ``dry_run``."""

from __future__ import annotations

import pytest

from accounts.models import ApiKey, Number
from messaging.models import Message, Status
from tests.factories import api, faulty_fields, make_message
from tests.support.classic import TEMPLATE, TEXT, later, send
from tests.support.v1 import MESSAGES, TEMPLATES, refused

pytestmark = pytest.mark.django_db

#: what people write, and the name that the answer gives them
NEARLY = {
    "dry-run": "dry_run",
    "dryrun": "dry_run",
    "DryRun": "dry_run",
    "DRY_RUN": "dry_run",
    "is_dry_run": "dry_run",
    "dry_rum": "dry_run",
    "dr_yrun": "dry_run",
    "send_at": "sendAt",
    "sendat": "sendAt",
    "send-at": "sendAt",
    "SendAt": "sendAt",
    "senAt": "sendAt",
    "scheduledFor": "sendAt",
    "scheduled_for": "sendAt",
    "schedule_at": "sendAt",
    "time_zone": "timezone",
    "timeZone": "timezone",
    "expires_in": "expiresIn",
    "expires-in": "expiresIn",
    "expiresAt": "expiresIn",
    "ttl": "expiresIn",
    "validateOnly": "dry_run",
    "sandbox": "dry_run",
    "test": "dry_run",
    "dry_run\u200b": "dry_run",
    "ｄｒｙ_run": "dry_run",
    "delay": "sendAt",
    "sendingTime": "sendAt",
    "send_in": "sendAt",
    "tzName": "timezone",
    "utcOffset": "timezone",
    "ttl_sec": "expiresIn",
    "idempotency_key": "Idempotency-Key",
    "idempotencyKey": "Idempotency-Key",
    "Idempotency-Key": "Idempotency-Key",
    "template_name": "template",
    "templateName": "template",
    "Template": "template",
    "fallback_template": "fallbackTemplate",
}


@pytest.mark.parametrize("name", NEARLY)
def test_a_near_miss_of_a_dangerous_field_is_refused_by_the_right_name(ready, name):
    answers = (
        send(ready, TEXT | {name: True}),
        api(ready).post_json("/messages/bulk", {"messages": [TEXT, TEXT | {name: True}]}),
        api(ready).post_json("/messages/bulk", {"messages": [TEXT], name: True}),
    )
    for answer, field in zip(answers, (name, f"messages[1].{name}", name), strict=True):
        assert answer.status_code == 400, answer.content
        assert faulty_fields(answer) == [field]
        assert NEARLY[name] in answer.json()["details"][0]["message"]
    assert not Message.objects.exists()


@pytest.mark.parametrize("name", [one for one in NEARLY if NEARLY[one] not in ("timezone", "template")])
def test_so_it_is_under_v1_and_what_that_api_lacks_is_said(org, name):
    for path, body in ((MESSAGES, org.text()), (TEMPLATES, org.template())):
        error = refused(
            org.api().post_json(path, body | {name: True}), 422, "invalid_request_body", param=name
        )
        assert NEARLY[name] in error["message"]
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "name", ["colour", "sentAt", "sendTo", "preview_url", "from", "agent_id", "text", "reply_to", "éè", ""]
)
def test_other_unknown_fields_stay_ignored_and_so_does_a_null(ready, name):
    assert send(ready, TEXT | {name: {"a": 1}, "send_at": None}).status_code == 202


@pytest.mark.parametrize("name", ["dry_run", "dryRun"])
@pytest.mark.django_db(transaction=True)
def test_a_rehearsal_is_one_at_every_endpoint_under_either_name(meta, alice, org, name):
    who = org.api()
    for answer in (
        send(alice, TEXT | {name: True}),
        api(alice).post_json("/messages/bulk", {"messages": [TEXT | {name: True}]}),
        who.post_json(MESSAGES, org.text() | {name: True}),
        who.post_json(TEMPLATES, org.template() | {name: True}),
    ):
        assert answer.status_code == 202, answer.content
    assert answer.json()["dry_run"] is True
    assert set(Message.objects.values_list("dry_run", flat=True)) == {True}
    assert Message.objects.count() == 4


def test_the_set_ups_test_message_can_be_rehearsed(ready):
    Number.objects.update(status=Number.Status.ACTIVE)
    body = {"to": TEXT["to"]}
    answer = api(ready).post_json("/auth/me/test-message", body | {"dryRun": True})
    assert answer.status_code == 202, answer.content
    assert Message.objects.get().dry_run is True
    assert faulty_fields(api(ready).post_json("/auth/me/test-message", body | {"sendAt": later(days=1)}))


@pytest.mark.parametrize(("one", "other"), [(True, False), (False, True)])
def test_two_names_that_say_different_things_are_refused(ready, org, one, other):
    both = {"dry_run": one, "dryRun": other}
    assert faulty_fields(send(ready, TEXT | both)) == ["dryRun"]
    refused(org.api().post_json(MESSAGES, org.text() | both), 422, "invalid_request_body", param="dryRun")
    assert send(ready, TEXT | {"dry_run": one, "dryRun": one}).status_code == 202
    assert faulty_fields(send(ready, TEXT | {"dryRun": "true"})) == ["dryRun"]
    answer = org.api().post_json(TEMPLATES, org.template() | {"dry_run": 1})
    refused(answer, 422, "invalid_request_body", param="dry_run")


def test_a_dangerous_field_at_the_wrong_place_is_refused(ready, org):
    inside = {"to": TEXT["to"], "template": TEMPLATE["template"] | {"dry_run": True}}
    assert faulty_fields(send(ready, inside)) == ["template.dry_run"]
    assert faulty_fields(api(ready).post_json("/send-message?dry_run=true", TEXT)) == ["dry_run"]
    for kind, part in (
        ("image", {"link": "https://example.com/a.png"}),
        ("location", {"latitude": 1, "longitude": 2}),
        ("reaction", {"messageId": "wamid.HBgLMTY1MDM4Nzk0MzkV", "emoji": "x"}),
    ):
        inside = {"to": TEXT["to"], kind: part | {"dryRun": True}}
        assert faulty_fields(send(ready, inside)) == [f"{kind}.dryRun"]
    failed = make_message(ready, status=Status.FAILED)
    again = api(ready).post_json(f"/messages/{failed.pk}/retry", {"dryRun": True})
    assert faulty_fields(again) == ["dryRun"]
    who = org.api()
    text = org.text(text={"body": "Hi", "dryRun": True})
    refused(who.post_json(MESSAGES, text), 422, "invalid_request_body", param="text.dryRun")
    refused(who.post_json(f"{MESSAGES}?dryRun=1", org.text()), 422, "invalid_request_body", param="dryRun")
    picture = org.template(headerMediaUrl="https://example.com/a.png")
    refused(who.post_json(TEMPLATES, picture), 422, "invalid_request_body", param="template.headerMediaUrl")
    assert Message.objects.exclude(pk=failed.pk).count() == 0


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("X-Idempotency-Key", "Idempotency-Key"),
        ("Idempotence-Key", "Idempotency-Key"),
        ("Idempotency-Token", "Idempotency-Key"),
        ("Dry-Run", "dry_run"),
        ("X-Dry-Run", "dry_run"),
        ("X-Dryrun", "dry_run"),
    ],
)
def test_a_header_that_would_have_to_be_heard_is_refused_by_the_right_name(ready, org, header, meant):
    given = {f"HTTP_{header.upper().replace('-', '_')}": "order-1"}
    answer = send(ready, TEXT, **given)
    assert faulty_fields(answer) == [header]
    assert meant in answer.json()["details"][0]["message"]
    under_v1 = org.api().post_json(MESSAGES, org.text(), **given)
    refused(under_v1, 422, "invalid_request_body", param=header)
    assert not Message.objects.exists()


def test_beside_the_right_header_another_spelling_of_it_does_no_harm(ready):
    both = {"HTTP_X_IDEMPOTENCY_KEY": "a", "HTTP_IDEMPOTENCY_KEY": "a", "HTTP_X_REQUEST_ID": "b"}
    assert send(ready, TEXT, **both).status_code == 202


def test_nothing_changes_while_what_was_meant_stands_in_the_address(ready, org):
    who, every, waiting = api(ready), org.api("*"), make_message(ready)
    before = ApiKey.objects.count()
    for path, name in (
        (f"/messages/{waiting.pk}/cancel?dry_run=true", "dry_run"),
        (f"/auth/me/keys?expiresAt={later(days=1)}", "expiresAt"),
        ("/auth/me/keys?scopes=whatsapp:read", "scopes"),
        ("/auth/me/rotate-key?graceSeconds=3600", "graceSeconds"),
    ):
        assert faulty_fields(who.post_json(path, {"name": "CI"})) == [name]
    for method, body in (("PATCH", {"template": {"category": "UTILITY"}}), ("DELETE", None)):
        answer = every.send(method, f"{TEMPLATES}/manage/1?dryRun=1", body)
        refused(answer, 422, "invalid_request_body", param="dryRun")
    waiting.refresh_from_db()
    assert (waiting.status, ApiKey.objects.count()) == (Status.QUEUED, before)


def test_a_rehearsal_of_what_has_none_is_refused(ready, org):
    every = org.api("*")
    error = refused(
        every.post_json(f"{TEMPLATES}/manage", org.template() | {"dry_run": True}),
        422,
        "invalid_request_body",
        param="dry_run",
    )
    assert "lint" in error["message"]
    inside = every.post_json(f"{TEMPLATES}/manage", org.template(dryRun=True))
    refused(inside, 422, "invalid_request_body", param="template.dryRun")
    keys = api(ready).post_json("/auth/me/keys", {"name": "CI", "expires_at": later(days=1)})
    assert faulty_fields(keys) == ["expires_at"]
    assert faulty_fields(api(ready).post_json("/auth/me/rotate-key", {"grace_seconds": 60})) == [
        "grace_seconds"
    ]
    assert ApiKey.objects.filter(name="CI").count() == 0
