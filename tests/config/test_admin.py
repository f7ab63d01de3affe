"""The operator's pages: quick on large ledgers, silent about secrets, deaf to scripts, closed to others."""

from __future__ import annotations

import re
import uuid

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Number, User
from core.secret import Secret
from messaging.models import Contact, Message, Status
from tests.factories import TOKEN, connect, make_account, make_message
from webhooks.models import Delivery
from webhooks.outgoing import endpoints, outbox
from webhooks.outgoing.outbox import Announcement

SCRIPT = "<script>alert('owned')</script>"
LISTS = sorted(f"/admin/{m._meta.app_label}/{m._meta.model_name}/" for m in admin.site._registry)


@pytest.fixture
def rows(db):
    """One of most things, named by somebody who means harm."""
    account = make_account("pro", name=SCRIPT)
    number = connect(account, waba_id="102290129340398")
    Number.objects.update(display_phone="15550001111", verified_name=SCRIPT)
    person = Contact.objects.create(
        account=account, connection=number, phone="14155552671", profile_name=SCRIPT
    )
    message = make_message(account, status=Status.FAILED, body=SCRIPT, wamid="wamid.X1", contact=person)
    endpoint, secret = endpoints.create(
        account, endpoints.Given(url="https://example.com/h", description=SCRIPT)
    )
    outbox.publish([Announcement(account.pk, "number.held", {"reason": SCRIPT})])
    return account, number, message, endpoint, secret


@pytest.mark.parametrize("path", LISTS)
def test_every_list_and_its_first_row_show_text_and_no_secret(operator, rows, path):
    secret: Secret = rows[4]
    page = operator.get(path)
    assert page.status_code == 200
    shown = page.content.decode()
    rows_of_it = set(re.findall(rf'href="({path}[^"?]+/change/)', shown))
    for detail in sorted(rows_of_it)[:1]:
        answer = operator.get(detail)
        assert answer.status_code == 200
        shown += answer.content.decode()
    assert "<script>alert" not in shown
    for hidden in (TOKEN, secret.reveal(), rows[1].access_token_sealed, rows[3].secret_sealed):
        assert hidden not in shown


@pytest.mark.parametrize(
    "term",
    [lambda m: str(m.pk), lambda m: m.wamid, lambda m: "+1 (415) 555-2671"],
    ids=["id", "wamid", "phone"],
)
def test_a_message_is_found_by_id_wamid_and_phone(operator, rows, term):
    message = rows[2]
    page = operator.get("/admin/messaging/message/", {"q": term(message)})
    assert str(message.pk) in page.content.decode()
    other = operator.get("/admin/messaging/message/", {"q": str(uuid.uuid4())})
    assert str(message.pk) not in other.content.decode()


def test_a_list_of_messages_costs_the_same_for_many_and_counts_no_further_than_it_says(operator, rows):
    account = rows[0]

    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert operator.get("/admin/messaging/message/").status_code == 200
        return [query["sql"] for query in captured.captured_queries]

    few = queries()
    for _ in range(30):
        make_message(account)
    many = queries()
    assert len(few) == len(many)
    counts = [sql for sql in many if "COUNT(" in sql and "messaging_message" in sql]
    assert counts
    assert all("LIMIT 10000" in sql for sql in counts)


def test_a_delivery_can_be_sent_again_once_it_has_ended(operator, rows):
    delivery = Delivery.objects.get()
    chosen = {"action": "deliver_again", "_selected_action": str(delivery.pk)}
    page = operator.post("/admin/webhooks/delivery/", chosen, follow=True)
    assert "still being delivered" in page.content.decode()
    Delivery.objects.update(status=Delivery.Status.FAILED, due_at=None)
    operator.post("/admin/webhooks/delivery/", chosen)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.due_at is not None) == (Delivery.Status.PENDING, True)


def test_the_first_page_says_what_needs_attention(operator, rows):
    quiet = operator.get("/admin/").content.decode()
    assert "Service status" in quiet
    assert "needs attention" in quiet  # no worker was ever seen
    Number.objects.update(status=Number.Status.HELD)
    page = operator.get("/admin/").content.decode()
    assert '<a href="/admin/accounts/number/?status=held">1</a>' in page


def test_strangers_and_customers_stay_outside(client: Client, rows):
    answer = client.get("/admin/messaging/message/")
    assert answer.status_code == 302
    assert client.get(answer["Location"])["Location"].startswith("/accounts/login/")
    client.force_login(User.objects.create_user("customer@example.com", "a long enough password"))
    assert client.get("/admin/messaging/message/", follow=True).status_code == 403


def test_no_ledger_can_be_written(operator, rows):
    message = rows[2]
    path = f"/admin/messaging/message/{message.pk}/change/"
    assert operator.post(path, {"status": "delivered"}).status_code == 403
    assert operator.post("/admin/messaging/message/add/", {}).status_code == 403
    assert operator.post(f"/admin/messaging/message/{message.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Message.objects.get(pk=message.pk).status == Status.FAILED
