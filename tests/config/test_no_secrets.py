"""No page of the operators' admin shows anything that gives access: a canary for every secret there is."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from accounts import audit, team
from accounts.models import Number, User
from billing import entitlement
from billing.models import AddOn, Customer, Dispute, Subscription
from core.secret import Secret
from messaging.models import Contact, OrphanStatus, Status, Template, TemplateSync
from tests.factories import TOKEN, connect, make_account, make_key, make_message
from webhooks.incoming import inbox
from webhooks.models import Attempt, Delivery
from webhooks.outgoing import endpoints, outbox
from webhooks.outgoing.outbox import Announcement

LISTS = {model: f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry}
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "a long enough passphrase"
#: tables that nothing here fills: groups of operators are Django's own and hold names
EMPTY = {"group"}


@pytest.fixture
def secrets(db, client: Client) -> dict[str, str]:
    """Put a row into every table that has a page; return what no page may show, by its name."""
    account = make_account("pro", name="Alice")
    number = connect(account, waba_id="102290129340398")
    number.app_secret = Secret("app-secret-canary-1234567890")
    number.status = Number.Status.ACTIVE
    number.save()
    _, key = make_key(account)
    endpoint, signing = endpoints.create(
        account, endpoints.Given(url="https://example.com/h", headers={"X-Token": "header-canary-1"})
    )
    person = Contact.objects.create(account=account, connection=number, phone="14155552671")
    make_message(account, status=Status.FAILED, wamid="wamid.X1", contact=person)
    template = Template.objects.create(
        account=account, waba_id="1", meta_id="2", name="hello", language="en", synced_at=timezone.now()
    )
    template.events.create(field="status", before="a", after="b", at=timezone.now())
    TemplateSync.objects.create(account=account, waba_id="1", due_at=timezone.now())
    OrphanStatus.objects.create(
        connection=number, wamid="wamid.lost", item={}, received_at=timezone.now(), digest=b"d" * 32
    )
    inbox.receive(source="meta", account_id=account.pk, raw=b'{"conversation": "inbox-canary-1"}')
    outbox.publish([Announcement(account.pk, "number.held", {"reason": "event-body-canary"})])
    delivery = Delivery.objects.get()
    Attempt.objects.create(
        delivery=delivery, number=1, at=timezone.now(), milliseconds=5, url="https://example.com/h",
        request_headers={"webhook-signature": "v1,signature-canary"},
    )  # fmt: skip
    _money(account)
    owner = account.memberships.get().user
    owner.set_password(PASSWORD)
    owner.save()
    _, invitation = team.invite(account, email="new@example.com", role="member", by=owner)
    audit.record(account, "key.created", actor=owner.email, target="sk_live_…abcd")
    seed = get_adapter().encrypt(SEED)
    Authenticator.objects.create(user=owner, type="totp", data={"secret": seed})
    RecoveryCodes.activate(owner)
    codes = Authenticator.objects.get(type="recovery_codes")
    EmailAddress.objects.update_or_create(user=owner, email=owner.email, defaults={"verified": True})
    visitor = Client()
    visitor.force_login(owner)
    session = str(visitor.session.session_key)
    UserSession.objects.create(user=owner, session_key=session, ip="203.0.113.7", user_agent="Firefox")
    number.refresh_from_db()
    endpoint.refresh_from_db()
    owner.refresh_from_db()
    return {
        "token": TOKEN,
        "sealed token": number.access_token_sealed,
        "app secret": "app-secret-canary-1234567890",
        "sealed app secret": number.app_secret_sealed,
        "callback key": number.callback_key,
        "verify token": number.verify_token,
        "API key": key,
        "signing secret": signing.reveal(),
        "sealed signing secret": endpoint.secret_sealed,
        "header": "header-canary-1",
        "sealed header": endpoint.headers_sealed,
        "signature": "signature-canary",
        "body of an event": "event-body-canary",
        "body of a callback": "inbox-canary-1",
        "invitation": invitation.reveal(),
        "password": owner.password,
        "seed": SEED,
        "sealed seed": seed,
        "recovery codes": codes.data["seed"],
        **{f"recovery code {n}": code for n, code in enumerate(codes.wrap().get_unused_codes()[:3])},
        "session": session,
        "SECRET_KEY": settings.SECRET_KEY,
        "CREDENTIALS_KEYS": settings.CREDENTIALS_KEYS[0],
        "open checkout": "cs_test_open_canary",
    }


def _money(account) -> None:
    now = timezone.now()
    entitlement.adjust(account.pk, messages=5, reason="gift", actor="op")
    Customer.objects.filter(pk=account.pk).update(stripe_id="cus_1", open_session="cs_test_open_canary")
    Subscription.objects.create(id="sub_1", account=account, status="active", plan="pro", fetched_at=now)
    AddOn.objects.create(
        account=account, code="agent", session="cs_1", starts_at=now, ends_at=now + timedelta(days=3)
    )
    Dispute.objects.create(id="du_1", account=account, status="won", fetched_at=now)


def test_no_page_of_the_admin_shows_a_secret(operator, secrets):
    pages = {"/admin/": operator.get("/admin/")}
    for model, path in LISTS.items():
        first = model._default_manager.order_by("pk").first()
        if model._meta.model_name not in EMPTY:
            assert first is not None, f"{model.__name__} has no row to look at"
        asked = [path, f"{path}?q=14155552671", f"{path}?q=alice", f"{path}add/"]
        asked += [f"{path}{first.pk}/{page}/" for page in ("change", "history", "delete")] if first else []
        pages |= {one: operator.get(one) for one in asked}
    shown = {path: answer.content.decode() for path, answer in pages.items()}
    assert {path: a.status_code for path, a in pages.items() if a.status_code not in (200, 302, 403)} == {}
    changes = [path for path, a in pages.items() if path.endswith("/change/") and a.status_code == 200]
    assert len(changes) >= len(LISTS) - len(EMPTY)
    found = [(name, path) for path, text in shown.items() for name, value in secrets.items() if value in text]
    assert found == []


def test_what_is_told_of_a_second_factor_is_that_it_is_there(operator, secrets):
    factor = Authenticator.objects.exclude(user__email="operator@example.com").get(type="totp")
    page = operator.get(f"/admin/mfa/authenticator/{factor.pk}/change/").content.decode()
    assert "TOTP" in page
    assert not re.search(r'name="(data|type)"', page)
    assert operator.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Authenticator.objects.filter(pk=factor.pk).exists()


def test_an_operator_signs_a_person_out(operator, secrets):
    stolen = Client()
    stolen.cookies[settings.SESSION_COOKIE_NAME] = secrets["session"]
    assert stolen.get("/app/start").status_code == 200
    chosen = {"action": "sign_out", "_selected_action": [str(UserSession.objects.get().pk)]}
    assert operator.post("/admin/usersessions/usersession/", chosen).status_code == 302
    assert stolen.get("/app/start").status_code == 302


def test_no_operator_declares_an_address_proven(operator, secrets):
    person = User.objects.create_user("m@example.com")
    mine = EmailAddress.objects.create(user=person, email="boss@example.com")
    operator.post(
        "/admin/account/emailaddress/", {"action": "make_verified", "_selected_action": [str(mine.pk)]}
    )
    answer = operator.post(f"/admin/account/emailaddress/{mine.pk}/change/", {"verified": "on"})
    assert answer.status_code == 403
    mine.refresh_from_db()
    assert not mine.verified
