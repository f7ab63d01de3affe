"""Bulk sends: caps, all or nothing, refused recipients, and a cost that does not grow by the item."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from messaging.models import Batch, Message, MessageEvent
from messaging.queue import accept
from tests.factories import api, connect, faulty_fields, make_account
from tests.support import meta as support
from tests.support.classic import later

pytestmark = pytest.mark.django_db


def to(index: int) -> str:
    """Return a recipient for each index."""
    return f"1415{2_000_000 + index}"


def items(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Return that many texts to as many people."""
    return [{"to": to(first + index), "message": f"Hello {index}"} for index in range(count)]


def bulk(who: Account, messages: Any, **more: Any) -> Any:
    """Send many."""
    return api(who).post_json("/messages/bulk", {"messages": messages}, **more)


def customer(plan: str = "pro") -> Account:
    """Return a customer with credentials."""
    account = make_account(plan)
    connect(account)
    return account


@pytest.mark.parametrize(("plan", "cap"), [("basic", 100), ("pro", 1_000)])
def test_each_plan_takes_its_cap_and_not_one_more(plan, cap):
    account = customer(plan)
    assert bulk(account, items(cap + 1)).status_code == 400
    assert not Message.objects.exists()
    answer = bulk(account, items(cap))
    assert answer.status_code == 202
    assert answer.json()["data"]["queued"] == cap == Message.objects.count()


@pytest.mark.slow
def test_enterprise_takes_five_thousand_whatever_the_setting_says(settings):
    settings.MAX_BULK_MESSAGES = 10
    account = customer("enterprise")
    answer = bulk(account, items(5_001))
    assert answer.status_code == 400
    assert "5000" in answer.json()["details"][0]["message"].replace(",", "")
    answer = bulk(account, items(5_000))
    assert answer.status_code == 202
    assert Message.objects.count() == 5_000
    assert MessageEvent.objects.count() == 5_000


@pytest.mark.parametrize(("setting", "cap"), [(7, 7), (50_000, 1_000)])
def test_the_setting_is_a_ceiling_for_self_service_plans(settings, setting, cap):
    settings.MAX_BULK_MESSAGES = setting
    account = customer("pro")
    answer = bulk(account, items(cap + 1))
    assert answer.status_code == 400
    assert str(cap) in answer.json()["details"][0]["message"].replace(",", "")
    assert bulk(account, items(cap)).status_code == 202


def test_the_free_plan_is_403_even_for_a_malformed_bulk():
    answer = bulk(customer("free"), items(1))
    assert answer.status_code == 403
    assert "details" not in answer.json()
    assert "upgrade" in answer.json()["error"].lower()


def test_every_bad_item_is_named_with_its_place_and_nothing_is_stored():
    account = customer()
    messages: list[Any] = items(6)
    messages[1]["to"] = "+1"
    messages[3] = {"to": to(3)}
    messages[4] = "text"
    messages[5]["template"] = {"name": "x", "language": "en"}
    answer = bulk(account, messages)
    assert answer.status_code == 400
    named = faulty_fields(answer)
    assert named[0] == "messages[1].to"
    assert named[1].startswith("messages[3].")
    assert named[2] == "messages[4]"
    assert named[3].startswith("messages[5].")
    assert not Message.objects.exists()
    assert not Batch.objects.exists()


def test_a_fault_deep_in_a_template_is_named_with_its_place():
    template = {"name": "Bad Name", "language": "en_US", "components": ["x"]}
    answer = bulk(customer(), [*items(2), {"to": to(9), "template": template}])
    assert faulty_fields(answer) == [
        "messages[2].template.name",
        "messages[2].template.components[0]",
    ]


def test_a_thousand_bad_items_do_not_make_a_huge_answer():
    answer = bulk(customer(), [{"to": "x"}] * 1_000)
    assert answer.status_code == 400
    assert len(answer.content) < 64 * 1024


def test_a_suppressed_recipient_is_stored_as_failed_and_the_others_go_out():
    account = customer()
    api(account).post_json("/suppressions", {"to": to(1)})
    data = bulk(account, items(3)).json()["data"]
    assert (data["totalMessages"], data["queued"], data["failedCount"]) == (3, 2, 1)
    (failure,) = data["failures"]
    assert (failure["index"], failure["to"]) == (1, to(1))
    found = api(account).get(f"/messages/{failure['id']}").json()["data"]
    assert found["status"] == "failed"
    assert found["failure"] == failure["failure"]
    assert found["errorMessage"] == failure["message"]
    assert found["failedAt"]
    assert [entry["status"] for entry in found["timeline"]] == ["failed"]
    batch = api(account).get(f"/messages/batches/{data['batchId']}").json()["data"]
    assert (batch["queued"], batch["failedCount"]) == (2, 1)
    assert batch["byStatus"] == {"queued": 2, "failed": 1}
    summary = api(account).get("/analytics/summary").json()["data"]
    assert summary["byStatus"] == {"queued": 2, "failed": 1}


def test_a_bulk_of_suppressed_recipients_only_is_still_accepted():
    account = customer()
    api(account).post_json("/suppressions", {"to": to(0)})
    answer = bulk(account, [items(1)[0]] * 3)
    assert answer.status_code == 202
    assert answer.json()["data"]["failedCount"] == 3
    assert not Message.objects.exclude(due_at=None).exists()


def test_a_large_bulk_needs_as_many_statements_as_a_small_one():
    account = customer("enterprise")
    who = api(account)
    who.post_json("/send-message", items(1)[0])  # opens the billing period
    counts = []
    for size in (2, 200, 1_000):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert who.post_json("/messages/bulk", {"messages": items(size, size * 10)}).status_code == 202
        counts.append(len(captured))
    assert counts[0] == counts[1] == counts[2], counts
    assert counts[0] < 25


def test_the_list_of_a_batch_holds_its_messages_and_no_others():
    account = customer()
    first = bulk(account, items(3)).json()["data"]["batchId"]
    second = bulk(account, items(2, 50)).json()["data"]["batchId"]
    who = api(account)
    who.post_json("/send-message", items(1)[0])
    for batch, count in ((first, 3), (second, 2)):
        answer = who.get(f"/messages?batchId={batch}").json()
        assert answer["pagination"]["total"] == count
        assert {one["batchId"] for one in answer["data"]} == {batch}
    assert who.get("/messages").json()["pagination"]["total"] == 6


def test_a_foreign_batch_is_an_empty_list_and_a_404():
    theirs = bulk(customer(), items(2)).json()["data"]["batchId"]
    who = api(customer())
    assert who.get(f"/messages?batchId={theirs}").json()["data"] == []
    assert who.get(f"/messages/batches/{theirs}").status_code == 404
    assert who.get("/messages/batches/nonsense").status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["queue_many", "batch"])
def test_a_crash_in_the_middle_leaves_nothing(monkeypatch, where):
    account = customer()

    def crash(*_: Any, **__: Any) -> Any:
        raise RuntimeError("killed")

    if where == "queue_many":
        monkeypatch.setattr(accept, "_lane", crash)
    else:
        original = accept.queue_many

        def stored_then_crash(*args: Any, **more: Any) -> Any:
            original(*args, **more)
            raise RuntimeError("killed")

        monkeypatch.setattr(accept, "queue_many", stored_then_crash)
    assert bulk(account, items(10)).status_code == 500
    assert not Message.objects.exists()
    assert not Batch.objects.exists()
    assert not MessageEvent.objects.exists()


def test_the_ids_are_in_the_order_of_the_items():
    account = customer()
    bulk(account, items(50))
    assert list(Message.objects.order_by("pk").values_list("recipient", flat=True)) == [
        to(index) for index in range(50)
    ]
    listed = api(account).get("/messages?limit=50").json()["data"]
    assert [one["to"] for one in listed] == [to(index) for index in range(50)][::-1]


def test_items_keep_their_own_fields():
    account = customer()
    messages = [
        {"to": to(0), "message": "A", "metadata": {"n": 1}},
        {"to": to(1), "template": {"name": "hello_world", "language": "en_US"}, "dry_run": True},
        {"to": to(2), "message": "C", "sendAt": later(days=27)},
    ]
    assert bulk(account, messages).status_code == 202
    first, second, third = Message.objects.order_by("pk")
    assert (first.body, first.metadata, first.dry_run) == ("A", {"n": 1}, False)
    assert (second.type, second.dry_run) == ("template", True)
    assert third.status == "scheduled"


def test_the_same_person_may_be_written_to_twice_in_a_bulk():
    account = customer()
    assert bulk(account, [items(1)[0]] * 2).json()["data"]["queued"] == 2
    assert Message.objects.values("contact").distinct().count() == 1


def test_a_bulk_of_dry_runs_needs_no_credentials_and_one_real_item_does():
    account = make_account("pro")
    dry = [one | {"dry_run": True} for one in items(2)]
    assert bulk(account, dry).status_code == 202
    assert bulk(account, [*dry, *items(1, 7)]).status_code == 400
    assert Message.objects.count() == 2


def test_a_body_near_the_limit_of_a_bulk_is_read():
    messages = [one | {"message": "x" * 4_000} for one in items(1_000)]
    assert len(json.dumps(messages)) > 4_000_000
    assert bulk(customer(), messages).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_bulk_goes_out_once_per_item(meta, alice, number):
    template = {"name": "hello_world", "language": "en_US"}
    messages = [{"to": support.person(), "template": template} for _ in range(20)]
    batch = bulk(alice, messages).json()["data"]["batchId"]
    support.drain()
    assert sorted(line.to for line in meta.ledger()) == sorted(one["to"] for one in messages)
    support.all_callbacks(meta)
    support.drain()
    found = api(alice).get(f"/messages/batches/{batch}").json()["data"]["byStatus"]
    assert found == {"read": 20}
