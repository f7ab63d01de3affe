"""An account with one of everything that a page can show, in words of the test's choosing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta

import orjson
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.utils import timezone

from accounts import agents, audit, keys, registration, team
from accounts.models import Account, ApiKey, Membership, Number, User
from core.http import requestlog
from messaging.models import Message, MessageEvent, Status, Suppression, Tally, Template, TemplateEvent
from tests import factories
from tests.dashboard import data
from tests.support.people import PASSWORD, join, make_owned
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.outgoing import endpoints, outbox

Say = Callable[[str], str]
#: what stands in each place when nobody means harm
PLAIN = {
    "account": "Alice’s Books & Maps",
    "agent": "Night desk",
    "answer": '{"error": "database is locked"}',
    "body": "Your order 1042 has left our house and will be with you on Tuesday.",
    "button": "Where is it?",
    "correlation": "01a1fbfa7c1e7d118c5e2f6f0a9be001",
    "details": "Message undeliverable.",
    "endpoint": "The shop’s own server",
    "error": "This number is not on WhatsApp, or the person has not accepted its new terms.",
    "fix": "Make a new token in the Meta app, under WhatsApp, API Setup.",
    "footer": "Alice’s Books & Maps, Amman",
    "header": "On its way",
    "inbound": "Is my order on its way? I ordered two maps on Monday and one more yesterday evening.",
    "key": "Shop",
    "metadata": "order",
    "metadata value": "1042",
    "note": "asked by mail",
    "person": "Alice Haddad",
    "profile": "Sarah Haddad",
    "reason": "Meta refused the access token: it has expired.",
    "rejected": "INVALID_FORMAT",
    "sent name": "order_shipped",
    "template": "order_shipped",
    "template body": "Hello, your order is on the way. Follow it here:",
    "title": "Message undeliverable",
    "verified": "Alice’s Books",
    "wamid": "wamid.HBgLMTQxNTU1NTAxMDAVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA",
}


def plain(place: str) -> str:
    """Return what usually stands in a place."""
    return PLAIN.get(place, f"A {place}")


def furnish(account: Account, say: Say = plain) -> dict[str, object]:
    """Give an account one of everything; returns what the addresses of its pages name."""
    owner = account.memberships.order_by("pk")[0].user
    Account.objects.filter(pk=account.pk).update(name=say("account")[:200])
    User.objects.filter(pk=owner.pk).update(name=say("person")[:200])
    owner.set_password(PASSWORD)
    owner.save(update_fields=["password"])
    number, made = _number(account, say)
    _people(account, owner, say)
    _log(account, say)
    today = timezone.localdate()
    for status, most in (("sent", 40), ("delivered", 35), ("read", 20), ("failed", 3)):
        for ago in range(12):
            Tally.objects.update_or_create(
                account=account,
                day=today - timedelta(days=ago),
                status=status,
                defaults={"count": most + ago * (7 - ago % 5)},
            )
    template = made["template"]
    for state in ("PENDING", "REJECTED"):
        Template.objects.create(
            **{
                name: getattr(template, name)
                for name in ("account", "waba_id", "language", "category", "components", "synced_at")
            },
            meta_id=str(time.time_ns())[-15:],
            name=f"{state.lower()}_{template.name}"[:500],
            status=state,
            rejected_reason=say("rejected")[:60],
        )
    TemplateEvent.objects.create(
        template=template,
        field="status",
        before="PENDING",
        after=say("after")[:60],
        note=say("template note")[:200],
        at=timezone.now(),
    )
    endpoint, delivery = _webhooks(account, made["failed"], say)
    return {
        **{name: row.pk for name, row in made.items()},
        "number": number.pk,
        "endpoint": endpoint.pk,
        "delivery": delivery.pk,
    }


def _number(account: Account, say: Say) -> tuple[Number, dict[str, Message | Template]]:
    agent = agents.create(account, "Night desk")
    account.agents.filter(pk=agent.pk).update(name=say("agent")[:200])
    number = factories.connect(account, waba_id="102290129340398")
    made = data.fill(number, say)
    line = {"check": "token", "ok": True, "message": say("line"), "fix": None, "code": None}
    bad = {"check": "callback", "ok": False, "message": say("line"), "fix": say("fix"), "code": 190}
    note = {"check": "quality", "ok": None, "message": say("line"), "fix": None, "code": None}
    Number.objects.filter(pk=number.pk).update(display_phone="15557650001", checks=[line, bad, note])
    MessageEvent.objects.create(
        message=made["failed"],
        sequence=2,
        status=Status.FAILED,
        at=timezone.now(),
        recorded_at=timezone.now(),
    )
    return number, made


def _people(account: Account, owner: User, say: Say) -> None:
    live, _ = keys.create(account, name="Shop", kind=ApiKey.Kind.SK, scopes=["*"])
    old, _ = keys.create(account, name="Old shop", kind=ApiKey.Kind.MK, scopes=["whatsapp:send"])
    keys.revoke(account, old.pk, reason="gone")
    ApiKey.objects.filter(pk__in=(live.pk, old.pk)).update(
        name=say("key")[:100], revoked_reason=say("revoked")[:200]
    )
    tag = time.time_ns()
    bob = join(account, Membership.Role.MEMBER, f"bob{tag}@example.com")
    User.objects.filter(pk=bob.pk).update(name=say("member")[:200])
    team.invite(account, email=f"friend{tag}@example.com", role="admin", by=owner)
    audit.record(account, "settings.changed", actor=say("actor")[:200], target=say("target")[:200])


def _log(account: Account, say: Say) -> None:
    """Note a call as the middleware does; its path and its error are the caller's words."""
    now = time.time()
    for status, error in ((202, ""), (400, say("call error")[:200])):
        path = f"/messages/{say('path')}"[:200] if error else "/send-message"
        entry = [f"req_{now}{status}", now, "POST", path, status, 12.5, say("caller")[:40], error]
        requestlog._held.append((str(account.pk), orjson.dumps(entry)))
    requestlog.flush()


def _webhooks(account: Account, message: Message, say: Say) -> tuple[Endpoint, Delivery]:
    endpoint, _secret = endpoints.create(
        account, endpoints.Given(url="https://shop.example.com/hooks/whatsapp", events=["*"])
    )
    Endpoint.objects.filter(pk=endpoint.pk).update(description=say("endpoint")[:200])
    told = {"messageId": str(message.pk), "text": say("event text")}
    outbox.publish([outbox.Announcement(account.pk, "message.status_updated", told, str(message.pk), 1)])
    delivery = Delivery.objects.get(event__subject=str(message.pk))
    Attempt.objects.create(
        delivery=delivery,
        number=1,
        at=timezone.now(),
        milliseconds=104,
        status=500,
        error=say("attempt")[:300],
        url=endpoint.url,
        request_headers={"webhook-id": "evt_1", "x-own": say("header value")},
        response=say("answer"),
    )
    Delivery.objects.filter(pk=delivery.pk).update(
        status=Delivery.Status.FAILED,
        due_at=None,
        attempts=1,
        last_status=500,
        last_attempt_at=timezone.now(),
    )
    delivery.event.__class__.objects.filter(pk=delivery.event_id).update(body=json.dumps({"data": told}))
    return endpoint, delivery


def careful(account: Account) -> User:
    """Return a member who asks for a second factor at every sign-in."""
    person = join(account, "member", "careful@example.org")
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])
    TOTP.activate(person, generate_totp_secret())
    RecoveryCodes.activate(person)
    return person


def newcomer(say: Say = plain) -> tuple[User, str]:
    """Return somebody who was invited and whose address was registered by API, and the way to join."""
    host = make_owned("Host")
    Account.objects.filter(pk=host.pk).update(name=say("host")[:200])
    fresh = registration.register(name="Acme", email="newcomer@example.com")
    Account.objects.filter(pk=fresh.account.pk).update(name=say("claimed")[:200])
    person = User.objects.get(email="newcomer@example.com")
    registration.prove(person, person.email)
    _, secret = team.invite(host, email="newcomer@example.com", role="admin", by=host.memberships.get().user)
    return person, secret.reveal()


def multiply(account: Account, made: dict[str, object], by: int = 6) -> None:
    """Give an account more of everything that stands in a list; the pages of ``made`` grow with it."""
    number = account.connections.get(pk=made["number"])
    failed, template = Message.objects.get(pk=made["failed"]), Template.objects.get(pk=made["template"])
    endpoint, first = account.webhook_endpoints.get(), Delivery.objects.get(pk=made["delivery"])
    owner = account.memberships.order_by("pk")[0].user
    data.make_many(account, number, by)
    for index in range(by):
        agent = account.agents.create(name=f"Agent {index}")
        other = factories.connect(factories.make_account("pro"))
        Number.objects.filter(pk=other.pk).update(account=account, agent=agent, is_default=False)
        keys.create(account, name=f"Key {index}", kind=ApiKey.Kind.SK, scopes=["*"])
        join(account, "member", f"m{time.time_ns()}@example.com")
        team.invite(account, email=f"i{time.time_ns()}@example.com", role="member", by=owner)
        audit.record(account, "settings.changed", actor="somebody")
        Suppression.objects.create(account=account, phone=f"1415556{index:04}", reason="manual")
        template.events.create(field="status", before="A", after="B", at=timezone.now())
        MessageEvent.objects.create(
            message=failed,
            sequence=10 + index,
            status=Status.FAILED,
            at=timezone.now(),
            recorded_at=timezone.now(),
        )
        Message.objects.filter(contact__connection=number).update(
            contact_id=made["contact"], batch=failed.batch
        )
        Template.objects.create(
            account=account,
            waba_id=number.waba_id,
            meta_id=f"9{index:09}",
            name=f"another_{index}",
            language="en",
            status="APPROVED",
            components=template.components,
            synced_at=timezone.now(),
        )
        told = outbox.Announcement(account.pk, "message.status_updated", {}, str(failed.pk), 2 + index)
        outbox.publish([told])
        Attempt.objects.create(
            delivery=first, number=2 + index, at=timezone.now(), milliseconds=1, url=endpoint.url
        )
        endpoints.create(account, endpoints.Given(url=f"https://shop.example.com/{index}", events=["*"]))
    _log(account, plain)
