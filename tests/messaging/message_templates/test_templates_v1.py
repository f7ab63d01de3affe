"""Templates through ``/v1``: sent with every kind of value, linted, made, changed and deleted at Meta."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import ApiKey, Number
from messaging.message_templates import store as template_store
from messaging.models import HeaderSample, Message, Template
from tests.support.meta import all_callbacks, drain, row
from tests.support.v1 import PHONE, TO, Customer, make_customer, refused

SEND = "/v1/whatsapp/templates"
LINT = f"{SEND}/lint"
MANAGE = f"{SEND}/manage"
EXAMPLES = f"{SEND}/examples"
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 50


@pytest.fixture
def org(meta, alice) -> Customer:
    """A customer whose number the sandbox has."""
    number = meta.connect(alice)
    Number.objects.filter(pk=number.pk).update(display_phone=PHONE[1:], status="active")
    number.refresh_from_db()
    meta.options(review_delay=0.01)
    return Customer(alice, alice.agents.get(), number)


def accepted(org, name, language="en", **values):
    """Send a template by the API; returns its message."""
    body = org.template(**{"name": name, "language": language, **values})
    answer = org.api().post_json(SEND, body)
    assert answer.status_code == 202, answer.content
    return Message.objects.get(pk=answer.json()["id"])


def sent(meta, org, name, language="en", **values):
    """Send a template by the API and the engine; returns what Meta was given, and the message."""
    message = accepted(org, name, language, **values)
    drain()
    return given(meta, message)


def given(meta, message):
    """Return what Meta was given for a message that it took."""
    assert row(message).status in ("sent", "delivered", "read"), row(message).error_detail
    (line,) = meta.ledger(message)
    return line.body["template"], row(message)


OFFER_LINK = "https://cdn.example.com/offer.jpg"
PLACE = {"latitude": "37.4", "longitude": "-122.1", "name": "Philz", "address": "101 Forest Ave"}
PAYMENT = {"order_details": {"reference_id": "r1", "type": "digital-goods"}}
PHOTO = {"type": "image", "image": {"link": OFFER_LINK}}
CARD = [
    {"type": "header", "parameters": [PHOTO]},
    {"type": "body", "parameters": [{"type": "text", "text": "aloe"}]},
    {
        "type": "button",
        "sub_type": "quick_reply",
        "index": "0",
        "parameters": [{"type": "payload", "payload": "more"}],
    },
    {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "aloe"}]},
]
SENDS = {
    "hello_world": ("en_US", {}),
    "order_ready": ("en_US", {"parameters": {"1": "Sara", "2": 7}}),
    "login_code": (
        "en_US",
        {"parameters": {"1": "493281"}, "buttons": [{"index": 0, "otp_code": "493281"}]},
    ),
    "otp_verification_v1": (
        "en",
        {"parameters": {"1": "493281"}, "buttons": [{"index": 0, "url_suffix": "493281"}]},
    ),
    "summer_sale": (
        "en_US",
        {
            "header_parameters": {"1": "Summer Sale"},
            "parameters": {"1": "the end of August", "2": "25OFF", "3": "25%"},
            "buttons": [
                {"index": 0, "quick_reply_payload": "STOP"},
                {"index": 1, "url_suffix": "summer"},
                {"index": 2, "coupon_code": "25OFF"},
            ],
        },
    ),
    "product_photo": (
        "en_US",
        {
            "header_media_url": OFFER_LINK,
            "parameters": {"1": "a vase"},
            "buttons": [{"index": 0, "quick_reply_payload": "MORE"}],
        },
    ),
    "video_greeting": ("en_US", {}),
    "meeting_point": ("en_US", {"header_parameters": PLACE, "parameters": {"1": "noon"}}),
    "signup_flow": (
        "en_US",
        {"buttons": [{"index": 0, "action": {"flow_token": "t", "flow_action_data": {"a": "b"}}}]},
    ),
    "limited_offer": (
        "en_US",
        {
            "header_media_url": OFFER_LINK,
            "parameters": {"1": "Pablo", "2": "25OFF"},
            "limited_time_offer": {"expiration_time_ms": 1795200000000},
            "buttons": [{"index": 0, "coupon_code": "25OFF"}, {"index": 1, "url_suffix": "25OFF"}],
        },
    ),
    "plant_carousel": (
        "en_US",
        {
            "parameters": {"1": "you"},
            "carousel": {
                "cards": [{"card_index": 0, "components": CARD}, {"card_index": 1, "components": CARD}]
            },
        },
    ),
    "shop_catalog": (
        "en",
        {"buttons": [{"index": 0, "action": {"thumbnail_product_retailer_id": "2lc"}}]},
    ),
    "shop_favourites": (
        "en",
        {
            "buttons": [
                {
                    "index": 0,
                    "action": {
                        "thumbnail_product_retailer_id": "2lc",
                        "sections": [{"title": "New", "product_items": [{"product_retailer_id": "2lc"}]}],
                    },
                }
            ]
        },
    ),
    "shop_one_product": (
        "en",
        {"header_parameters": {"product_retailer_id": "nq", "catalog_id": "194836987003835"}},
    ),
    "pay_order": ("en", {"buttons": [{"index": 0, "action": PAYMENT}]}),
    "promo_with_header": (
        "en",
        {
            "header_parameters": {"promo_label": "Summer Sale"},
            "parameters": {"customer_name": "Sara", "discount_pct": "30"},
        },
    ),
}


def test_every_kind_of_template_gets_past_metas_checks(meta, org):
    template_store.sync(org.number)
    messages = {name: accepted(org, name, language, **values) for name, (language, values) in SENDS.items()}
    drain()
    for name in SENDS:
        part, message = given(meta, messages[name])
        assert part["name"] == name
        if name == "promo_with_header":
            assert message.body == "Dear Sara, take 30 percent off today."
            named = {"type": "text", "parameter_name": "promo_label", "text": "Summer Sale"}
            assert part["components"][0] == {"type": "header", "parameters": [named]}
    assert HeaderSample.objects.get().template.name == "video_greeting"


def test_a_template_made_a_moment_ago_is_found_by_its_first_send(meta, org):
    assert not Template.objects.exists()
    answer = org.api().post_json(SEND, org.template(name="order_link"))
    refused(answer, 422, "template_button_value_missing", param="template.buttons[0].url_suffix")
    assert not Message.objects.exists()


def test_offers_and_carousels_must_be_objects(org):
    for name in ("limited_time_offer", "carousel"):
        body = org.template(**{name: "soon"})
        answer = org.api().post_json(SEND, body)
        refused(answer, 422, "invalid_request_body", param=f"template.{name}")


# --- lint


def lint(org, template, scope="whatsapp:read", **more):
    answer = org.api(scope).post_json(LINT, {"template": template} | more)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_lint_checks_every_row_and_shows_it(org):
    rows = [
        {"parameters": {"customer_name": "Sara", "tracking_url": "https://example.com/1"}},
        {"parameters": {"customer_name": "Ali\nBaba"}},
        {"parameters": {"customer_name": None}},
        {"buttons": "no"},
        "no",
    ]
    found = lint(org, {"name": "order_shipped", "language": "en"}, rows=rows)
    assert found["template"] == {
        "name": "order_shipped",
        "language": "en",
        "status": "APPROVED",
        "category": "UTILITY",
    }
    assert not found["valid"] and [one["valid"] for one in found["rows"]] == [
        True,
        False,
        False,
        False,
        False,
    ]
    good, bad, *rest = found["rows"]
    assert good["preview"]["body"] == "Hello Sara, your order is on the way: https://example.com/1."
    assert [one["param"] for one in bad["findings"]] == [
        "template.parameters.customer_name",
        "template.parameters.tracking_url",
    ]
    assert {one["code"] for one in bad["findings"]} == {"invalid_request_body"}
    assert [one["preview"] for one in rest] == [None] * 3
    assert not Message.objects.exists()


def test_lint_takes_the_values_where_a_send_has_them_and_components_that_meta_does_not_know(org):
    body = {"type": "BODY", "text": "Hi {{1}}"}
    found = lint(org, {"components": [body], "parameters": {"1": "Sara"}}, scope="whatsapp:send")
    assert found["valid"] and found["rows"][0]["preview"]["body"] == "Hi Sara"
    otp = {"components": [body], "category": "AUTHENTICATION", "parameters": {"1": "1" * 16}}
    assert lint(org, otp)["rows"][0]["findings"][0]["code"] == "template_value_too_long"


def test_lint_says_what_stands_against_the_template_itself(org):
    state = lint(org, {"name": "paused_offer", "language": "en_US"})
    assert not state["valid"] and state["rows"][0]["valid"]
    assert [one["meta_code"] for one in state["findings"]] == [132015]
    found = lint(org, {"name": "paused_offer", "language": "en"})
    assert found["rows"] == [] and "It exists in en_US" in found["findings"][0]["message"]


UNREADABLE = [
    ({}, "template"),
    ({"template": []}, "template"),
    ({"template": {"name": "a"}}, "template.language"),
    ({"template": {"name": "a", "language": "en"}, "rows": []}, "rows"),
    ({"template": {"name": "a", "language": "en"}, "rows": [{}] * 1001}, "rows"),
    ({"template": {"components": "x"}}, "template.components"),
    ({"template": {"components": ["x"]}}, "template.components"),
    ({"template": {"components": [], "category": 7}}, "template.category"),
]


def test_lint_refuses_what_it_cannot_read(org):
    for body, param in UNREADABLE:
        refused(org.api().post_json(LINT, body), 422, "invalid_request_body", param=param)


def test_lint_of_another_accounts_template_finds_nothing(org, meta):
    lint(org, {"name": "order_shipped", "language": "en"})
    other = make_customer("+15557650009")
    Template.objects.update(waba_id="1")
    found = lint(other, {"name": "order_shipped", "language": "en"})
    assert found["template"]["status"] is None and "It exists" not in found["findings"][0]["message"]


# --- management

BODY = {
    "type": "BODY",
    "text": "Thank you, {{first_name}}! Your order is on its way.",
    "example": {"body_text_named_params": [{"param_name": "first_name", "example": "Sara"}]},
}
NEW = {
    "name": "order_on_its_way",
    "language": "en",
    "category": "utility",
    "parameter_format": "named",
    "components": [BODY],
}


def make(org, **changes):
    return org.api("*").post_json(MANAGE, org.template(**NEW | changes))


def test_a_template_is_made_reviewed_sent_edited_and_deleted(meta, org):
    answer = make(org)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["status"], made["category"], made["name"]) == ("PENDING", "UTILITY", NEW["name"])
    stored = Template.objects.get()
    assert made["id"] == stored.meta_id and stored.components[0]["text"] == BODY["text"]
    all_callbacks(meta)
    stored.refresh_from_db()
    assert stored.status == "APPROVED"
    part, _ = sent(meta, org, NEW["name"], parameters={"first_name": "Sara"})
    assert part["components"][0]["parameters"][0]["parameter_name"] == "first_name"
    path = f"{MANAGE}/{made['id']}"
    body = {"type": "BODY", "text": "Your order is on its way."}
    meta.options(review_delay=1)  # not before the answer to the edit is written
    edited = org.api("*").send("PATCH", path, {"template": {"components": [body]}})
    assert edited.status_code == 200 and edited.json()["status"] == "PENDING"
    assert edited.json()["components"][0]["text"] == body["text"]
    all_callbacks(meta)
    assert org.api("*").send("DELETE", path).status_code == 204
    assert not Template.objects.filter(meta_id=made["id"]).exists()
    refused(org.api("*").send("DELETE", path), 404, "template_not_found")
    history = [NEW["name"] in template.name for template in meta.world.templates.values()]
    assert not any(history)


def test_a_rejection_is_followed_with_its_reason_and_can_be_edited_away(meta, org):
    made = make(org, name="something_rejected").json()
    all_callbacks(meta)
    stored = Template.objects.get()
    assert (stored.status, stored.rejected_reason) == ("REJECTED", "INVALID_FORMAT")
    path = f"{MANAGE}/{made['id']}"
    assert org.api("*").send("PATCH", path, {"template": {"category": "MARKETING"}}).status_code == 200
    stored.refresh_from_db()
    assert stored.category == "MARKETING"


def test_a_template_deleted_in_whatsapp_manager_can_be_deleted_here(meta, org):
    made = make(org).json()
    template = meta.world.templates.pop(made["id"])
    meta.sandbox.run(meta.world.wabas[org.number.waba_id].remove, template)
    assert org.api("*").send("DELETE", f"{MANAGE}/{made['id']}").status_code == 204


def test_an_example_is_uploaded_and_shown_by_sends_without_a_file(meta, org):
    photo = SimpleUploadedFile("a b.png", PNG, "image/png")
    form = {"agent_id": str(org.agent.pk), "from": PHONE, "file": photo}
    answer = org.api("*").post(EXAMPLES, form)
    assert answer.status_code == 201, answer.content
    handle = answer.json()["handle"]
    header = {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": [handle]}}
    assert make(org, components=[header, BODY]).status_code == 201
    all_callbacks(meta)
    part, _ = sent(meta, org, NEW["name"], parameters={"first_name": "Sara"})
    media_id = part["components"][0]["parameters"][0]["image"]["id"]
    assert meta.world.media[media_id].content == PNG


FILES = [
    None,
    SimpleUploadedFile("a.txt", b"x", "text/plain"),
    SimpleUploadedFile("a.png", b"", "image/png"),
    SimpleUploadedFile("a.png", PNG + b"x" * (5 * 1024 * 1024), "image/png"),
    SimpleUploadedFile("a.png", b"MZ\x90\0", "image/png"),
    SimpleUploadedFile("a.png", b"%PDF-1.7", "image/png"),
]


def test_an_example_is_a_file_that_meta_takes(org):
    for file in FILES:
        form = {"agent_id": str(org.agent.pk), "from": PHONE} | ({"file": file} if file else {})
        refused(org.api("*").post(EXAMPLES, form), 422, "invalid_request_body", param="file")


def test_an_example_must_be_sent_as_a_form(org):
    refused(org.api("*").post_json(EXAMPLES, {}), 415, "unsupported_media_type")


REFUSED = {
    "a bad name": ({"name": "Bad Name"}, "invalid_request_body", "template.name"),
    "no name": ({"name": ""}, "invalid_template_name", "template.name"),
    "a bad language": ({"language": "en-US"}, "invalid_request_body", "template.language"),
    "no category": ({"category": None}, "invalid_request_body", "template.category"),
    "a category that is none": ({"category": 3}, "invalid_request_body", "template.category"),
    "a bad format": ({"parameter_format": "x"}, "invalid_request_body", "template.parameter_format"),
    "no components": ({"components": []}, "invalid_request_body", "template.components"),
    "components that are none": ({"components": {}}, "invalid_request_body", "template.components"),
    "a component without type": ({"components": [{}]}, "invalid_request_body", "template.components"),
    "a bad lifetime": (
        {"message_send_ttl_seconds": True},
        "invalid_request_body",
        "template.message_send_ttl_seconds",
    ),
    "what Meta does not like": (
        {"components": [{"type": "BODY", "text": "x" * 1025}]},
        "template_refused_by_meta",
        "template",
    ),
}


def test_a_template_that_cannot_be_is_refused(org):
    for changes, code, param in REFUSED.values():
        refused(make(org, **changes), 422, code, param=param)
    assert not Template.objects.exists()


def test_metas_reason_is_passed_on_and_a_twin_is_refused(org):
    assert make(org).status_code == 201
    error = refused(make(org), 422, "template_refused_by_meta")
    assert "already" in error["message"] and Template.objects.count() == 1


def test_a_repeated_key_gives_the_first_answer_and_asks_meta_nothing(meta, org):
    headers = {"HTTP_IDEMPOTENCY_KEY": "once"}
    first = org.api("*").post_json(MANAGE, org.template(**NEW), **headers)
    before = meta.world.stats["requests"]
    again = org.api("*").post_json(MANAGE, org.template(**NEW), **headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again["Idempotent-Replayed"] == "true" and meta.world.stats["requests"] == before
    other = org.api("*").post_json(MANAGE, org.template(**NEW | {"language": "ar"}), **headers)
    refused(other, 422, "idempotency_key_in_use_with_different_params")


def test_a_key_whose_template_was_refused_can_be_used_again(org):
    headers = {"HTTP_IDEMPOTENCY_KEY": "twice"}
    wrong = org.template(**NEW | {"components": []})
    refused(org.api("*").post_json(MANAGE, wrong, **headers), 422, "invalid_request_body")
    assert org.api("*").post_json(MANAGE, org.template(**NEW), **headers).status_code == 201


def test_what_keeps_meta_from_answering_is_told_apart(meta, org):
    meta.revoke(org.number)
    refused(make(org), 422, "credentials_refused_by_meta")
    Number.objects.filter(pk=org.number.pk).update(waba_id="")
    refused(make(org), 422, "invalid_request_body", param="from")


def test_a_meta_that_is_away_is_a_503(org, settings):
    settings.META_GRAPH_URL = "http://127.0.0.1:1"
    refused(make(org), 503, "upstream_unavailable")


def test_a_template_under_review_cannot_be_edited_and_an_approved_one_keeps_its_category(meta, org):
    meta.options(review_delay=600)
    made = make(org).json()
    path = f"{MANAGE}/{made['id']}"
    refused(org.api("*").send("PATCH", path, {"template": {"components": [BODY]}}), 409, "conflict")
    Template.objects.update(status="APPROVED")
    refused(org.api("*").send("PATCH", path, {"template": {"category": "MARKETING"}}), 409, "conflict")
    refused(org.api("*").send("PATCH", path, {"template": {}}), 422, "invalid_request_body", param="template")
    same = org.api("*").send("PATCH", path, {"template": {"category": "UTILITY"}})
    assert same.status_code == 200


def test_only_a_key_that_may_do_everything_manages_templates(org):
    for scope in ("whatsapp:send", "whatsapp:read"):
        answer = org.api(scope).post_json(MANAGE, org.template(**NEW))
        refused(answer, 403, "insufficient_scope", required_scope="*")
        refused(org.api(scope).send("DELETE", f"{MANAGE}/1"), 403, "insufficient_scope")
    test_key = org.api("*", kind=ApiKey.Kind.MK_TEST)
    refused(test_key.post_json(MANAGE, org.template(**NEW)), 403, "insufficient_scope")


def test_a_foreign_template_is_as_unknown_as_a_random_one(org):
    made = make(org).json()
    other = make_customer("+15557650008")
    for template_id in (made["id"], "123", "x" * 300, "%00", "１２３４５"):
        for method in ("PATCH", "DELETE"):
            body = {"template": {"components": [BODY]}} if method == "PATCH" else None
            answer = other.api("*").send(method, f"{MANAGE}/{template_id}", body)
            refused(answer, 404, "template_not_found")
    # Two accounts may know the same WhatsApp account; each manages what it has read itself.
    Number.objects.filter(pk=other.number.pk).update(waba_id=org.number.waba_id)
    refused(other.api("*").send("DELETE", f"{MANAGE}/{made['id']}"), 404, "template_not_found")
    limited = org.another()
    answer = org.api("*", agent_ids=[str(limited.pk)]).send("DELETE", f"{MANAGE}/{made['id']}")
    refused(answer, 404, "template_not_found")
    assert Template.objects.filter(meta_id=made["id"]).exists()
    body = org.template(**NEW) | {"to": TO}
    refused(other.api("*").post_json(MANAGE, body), 403, "agent_not_authorized")
