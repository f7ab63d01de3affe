"""What operators do about money in the admin: with a reason, through the core, in the audit log."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent
from billing import entitlement, quota
from billing.models import Adjustment, Customer, Dispute
from tests.factories import make_account
from tests.support import operators

pytestmark = pytest.mark.django_db

CUSTOMERS = "/admin/billing/customer/"


@pytest.fixture
def operator(client: Client) -> Client:
    """A signed-in operator."""
    return operators.operator(client, "op@example.com")


def form(account, **more):
    """The fields of an override as a browser sends them."""
    until = timezone.now() + timedelta(days=3)
    return {
        "account": str(account.pk),
        "override_plan": "enterprise",
        "override_reason": "pilot until the contract is signed",
        "override_until_0": until.strftime("%Y-%m-%d"),
        "override_until_1": "12:00:00",
        "monthly_messages": "",
    } | more


def test_an_override_with_reason_and_expiry_changes_the_plan(operator, account, plan_of):
    assert operator.post(f"{CUSTOMERS}add/", form(account)).status_code == 302
    assert plan_of(account) == "enterprise"
    entry = AuditEvent.objects.get(action="plan_override")
    assert entry.actor == "op@example.com"
    assert entry.details["reason"] == "pilot until the contract is signed"
    page = operator.get("/admin/accounts/auditevent/")
    assert b"plan_override" in page.content


def test_an_override_without_a_reason_is_refused_at_its_field(operator, account, plan_of):
    answer = operator.post(f"{CUSTOMERS}add/", form(account, override_reason=" "))
    assert answer.status_code == 200
    assert b"Say why" in answer.content
    assert plan_of(account) == "free"


def test_a_cap_for_one_customer_is_set_and_lifted(operator, account):
    quota.usage(account.pk)
    at = f"{CUSTOMERS}{account.pk}/change/"
    nothing = {"override_plan": "", "override_reason": "", "override_until_0": "", "override_until_1": ""}
    assert operator.post(at, nothing | {"monthly_messages": "250000"}).status_code == 302
    assert quota.usage(account.pk).limit == 250_000
    assert operator.post(at, nothing | {"monthly_messages": ""}).status_code == 302
    assert Customer.objects.get().monthly_messages is None
    assert AuditEvent.objects.filter(action="cap_changed", actor="op@example.com").count() == 2


def test_messages_are_given_and_taken_back(operator, account):
    before = quota.usage(account.pk).limit
    body = {"account": str(account.pk), "messages": "500", "reason": "our outage of Tuesday"}
    assert operator.post("/admin/billing/adjustment/add/", body).status_code == 302
    assert quota.usage(account.pk).limit == before + 500
    given = Adjustment.objects.get()
    assert given.actor == "op@example.com"
    chosen = {"action": "take_back", "_selected_action": [str(given.pk)]}
    assert operator.post("/admin/billing/adjustment/", chosen).status_code == 302
    assert quota.usage(account.pk).limit == before


def test_peace_is_made_with_a_lost_dispute(operator, account, plan_of):
    entitlement.override(account.pk, plan="pro", reason="x", until=None, actor="op")
    Customer.objects.update(override_plan="", granted_plan="pro")
    lost = Dispute.objects.create(id="du_1", account=account, status="lost", fetched_at=timezone.now())
    chosen = {"action": "make_peace", "_selected_action": [lost.pk]}
    assert operator.post("/admin/billing/dispute/", chosen).status_code == 302
    lost.refresh_from_db()
    assert lost.settled_at is not None
    assert plan_of(account) == "pro"


@pytest.mark.parametrize(
    "name",
    [
        *("customer", "adjustment", "dispute", "subscription"),
        *("addon", "quotaperiod"),
    ],
)
def test_every_page_opens_and_nothing_can_be_deleted(operator, account, name):
    entitlement.adjust(account.pk, messages=5, reason="gift", actor="op")
    assert operator.get(f"/admin/billing/{name}/").status_code == 200
    chosen = {"action": "delete_selected", "_selected_action": ["x"]}
    assert b"Are you sure" not in operator.post(f"/admin/billing/{name}/", chosen, follow=True).content


def test_a_plan_has_one_writer_and_the_page_of_accounts_is_not_it(operator, plan_of):
    account = make_account("free")
    body = {"name": "A", "email": account.email, "plan": "enterprise", "is_active": "on", "onboarding": "{}"}
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    answer = operator.post(f"/admin/accounts/account/{account.pk}/change/", body | inline)
    assert answer.status_code == 302
    assert plan_of(account) == "free"
