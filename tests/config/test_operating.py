"""What operators do and see at a glance: how customers are, pausing numbers, searches that stay quick."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, ApiKey, Number, User
from billing import quota
from billing.models import QuotaPeriod
from config.ops import service_status
from messaging.models import Contact, Message, Status, Tally
from tests.factories import connect, make_account, make_key, make_message
from tests.support import operators
from webhooks.models import Delivery, Endpoint, InboundEvent
from webhooks.outgoing import endpoints, outbox
from webhooks.outgoing.outbox import Announcement

pytestmark = pytest.mark.django_db
ACCOUNTS = "/admin/accounts/account/"
NUMBERS = "/admin/accounts/number/"


def cells(page, account) -> dict[str, str]:
    """Return the cells of an account's row by their names, as text."""
    text = page.content.decode()
    (row,) = [part for part in text.split("<tr>") if f"/{account.pk}/change/" in part]
    found = re.findall(r'<t[hd] class="field-(\w+)[^"]*">(.*?)</t[hd]>', row, re.DOTALL)
    return {name: re.sub(r"<[^>]+>", "", value).strip() for name, value in found}


def spend(account, messages: int) -> None:
    quota.charge(account.pk, messages)


def test_the_list_of_accounts_says_what_is_used_and_who_is_unwell(operator, settings):
    settings.MONTHLY_MESSAGES = {"free": 50, "basic": 100, "pro": 1_000, "enterprise": 0}
    well, unwell, large = make_account("free"), make_account("pro"), make_account("enterprise")
    connect(well)
    spend(well, 7)
    for place, values in enumerate(
        (
            {"status": Number.Status.HELD},
            {"paused_until": timezone.now() + timedelta(hours=1)},
            {"breaker_open_since": timezone.now(), "paused_until": timezone.now() + timedelta(seconds=5)},
            {"status": Number.Status.HELD, "removed_at": timezone.now()},
        )
    ):
        number = connect(unwell, phone_number_id=f"10654035224{place}")
        Number.objects.filter(pk=number.pk).update(is_default=False, **values)
    endpoints.create(unwell, endpoints.Given(url="https://example.com/h"))
    Endpoint.objects.update(enabled=False, off="failing")
    today = datetime.now(UTC).date()
    for status, count in (("delivered", 60), ("failed", 40)):
        Tally.objects.create(account=unwell, day=today, status=status, template="", error_code=0, count=count)
    page = operator.get(ACCOUNTS)
    assert cells(page, well) | {"created_at": ""} == {
        "name": well.name,
        "email": well.email,
        "plan": "free",
        "used": "7 of 50",
        "health": "well",
        "numbers": "1",
        "is_active": "",
        "created_at": "",
    }
    told = cells(page, unwell)
    assert (told["used"], told["numbers"]) == ("0 of 1,000", "3")
    assert told["health"] == "1 held, 1 paused, 1 failing at Meta, 1 endpoints off, 40% failed"
    assert cells(page, large)["used"] == "0"


def test_a_long_list_of_accounts_costs_as_many_queries_as_a_short_one(operator):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(ACCOUNTS).status_code == 200
        return len(captured)

    spend(make_account("pro"), 1)
    few = queries()
    for _ in range(12):
        account = make_account("pro")
        connect(account)
        spend(account, 1)
    assert queries() == few


def test_the_page_of_an_account_keeps_what_is_not_an_operators_to_change(operator):
    account = make_account("free")
    body = {"name": "New", "email": account.email, "closed_at_0": "2026-01-01", "closed_at_1": "00:00:00"}
    more = {"messages_sent": "99", "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    assert operator.post(f"{ACCOUNTS}{account.pk}/change/", body | more).status_code == 302
    account.refresh_from_db()
    assert (account.name, account.is_active, account.closed_at, account.messages_sent) == (
        "New",
        False,
        None,
        0,
    )


def act(browser, path, action, *rows):
    return browser.post(path, {"action": action, "_selected_action": [str(row.pk) for row in rows]})


def test_a_number_is_paused_for_an_hour_and_resumed(operator):
    number, held = connect(make_account("pro")), connect(make_account("pro"), phone_number_id="1065403522499")
    assert act(operator, NUMBERS, "pause_for_an_hour", number).status_code == 302
    number.refresh_from_db()
    assert timedelta(minutes=59) < number.paused_until - timezone.now() <= timedelta(hours=1)
    assert number.status_reason.startswith("Paused by the operator of this service until")
    assert "operator@example.com" not in number.status_reason, "the owner sees it"
    assert LogEntry.objects.get().user.email == "operator@example.com"
    paused = operator.get(f"{NUMBERS}?paused_until__isempty=0").content.decode()
    assert number.phone_number_id in paused
    assert held.phone_number_id not in paused
    Number.objects.filter(pk=held.pk).update(
        status=Number.Status.HELD, status_reason="Token refused.", paused_until=timezone.now()
    )
    act(operator, NUMBERS, "resume", number, held)
    number.refresh_from_db()
    held.refresh_from_db()
    assert (number.paused_until, number.status_reason) == (None, "")
    assert held.status_reason == "Token refused.", "a held number needs new credentials"


def test_whoever_may_only_look_cannot_press_a_button(operator):
    account = make_account("pro")
    number, (key, _) = connect(account), make_key(account)
    endpoints.create(account, endpoints.Given(url="https://example.com/h"))
    outbox.publish([Announcement(account.pk, "number.held", {})])
    Delivery.objects.update(status="failed", due_at=None)
    looker = User.objects.create_user("looker@example.com", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    browser = operators.enter(Client(), looker)
    for path, action, row in (
        (NUMBERS, "pause_for_an_hour", number),
        ("/admin/accounts/apikey/", "revoke", key),
        ("/admin/webhooks/delivery/", "deliver_again", Delivery.objects.get()),
    ):
        assert browser.get(path).status_code == 200
        act(browser, path, action, row)
    assert Number.objects.get().paused_until is None
    assert not ApiKey.objects.exclude(revoked_at=None).exists()
    assert Delivery.objects.get().due_at is None


def test_a_helper_raises_nobody_above_himself():
    helper = User.objects.create_user("helper@example.com", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    browser = Client()
    browser.force_login(helper)
    path = f"/admin/accounts/user/{helper.pk}/change/"
    body = {"email": "helper@example.com", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert browser.post(path, body).status_code == 302
    helper.refresh_from_db()
    assert not helper.is_superuser


def plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.parametrize(
    ("path", "term", "table"),
    [
        ("messaging/message", "wamid.X1", "messaging_message"),
        ("messaging/message", "id", "messaging_message"),
        ("messaging/message", "+1 415 555 2671", "messaging_(message|contact)"),
        ("messaging/contact", "14155552671", "messaging_contact"),
        ("messaging/orphanstatus", "wamid.X1", "messaging_orphanstatus"),
        ("webhooks/event", "evt_id", "webhooks_event"),
        ("webhooks/delivery", "evt_id", "webhooks_delivery"),
        ("webhooks/inboundevent", "id", "webhooks_inboundevent"),
        ("webhooks/inboundevent", "evt_id", "webhooks_inboundevent"),
    ],
)
def test_a_search_of_a_ledger_reads_no_ledger_to_its_end(operator, path, term, table):
    """With sequential scans made dear, one remains only where no index can serve."""
    account = make_account("pro")
    person = Contact.objects.create(account=account, connection=connect(account), phone="14155552671")
    message = make_message(account, status=Status.SENT, wamid="wamid.X1", contact=person)
    term = term.replace("id", str(message.pk)) if term in ("id", "evt_id") else term
    with CaptureQueriesContext(connection) as captured:
        page = operator.get(f"/admin/{path}/", {"q": term})
    assert page.status_code == 200
    about = re.compile(f'FROM "?{table}')
    asked = [one["sql"] for one in captured.captured_queries if about.search(one["sql"])]
    assert asked
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    for sql in asked:
        assert not re.search(f"Seq Scan on {table}", plan(sql)), sql
    if path == "messaging/message":
        assert str(message.pk) in page.content.decode()


def test_a_search_for_nonsense_finds_nothing_on_every_list(operator):
    make_message(make_account("pro"))
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for term in ("no such thing", "%", "\x00", "9" * 400, "evt_zz"):
            assert operator.get(path, {"q": term}).status_code in (200, 302), (path, term)
    found = operator.get("/admin/messaging/message/", {"q": "no such thing"}).content.decode()
    assert str(Message.objects.get().pk) not in found


def test_every_account_is_shown_before_its_first_period_begins(operator):
    make_account("basic")
    assert Account.objects.count() == 1
    assert not QuotaPeriod.objects.exists()
    assert operator.get(ACCOUNTS).status_code == 200


def test_the_first_page_says_what_waits_for_stripe_beside_what_waits_for_meta(operator):
    now = timezone.now()
    for number, source in enumerate(("meta", "stripe", "stripe")):
        InboundEvent.objects.create(
            source=source, digest=bytes([number] * 32), raw=b"{}", received_at=now, due_at=now
        )
    figures = {one.name: one for one in service_status.figures()}
    assert figures["Oldest callback that is due"].value.endswith("(1 wait)")
    event = figures["Oldest event of Stripe's that waits"]
    assert event.value.endswith("(2 wait)") and not event.bad
    rows = re.findall(
        r"<tr>.*?field-source", operator.get(f"/admin/{event.path}").content.decode(), re.DOTALL
    )
    assert len(rows) == 2
    InboundEvent.objects.update(received_at=now - timedelta(hours=1))
    assert {one.name: one for one in service_status.figures()}[event.name].bad
