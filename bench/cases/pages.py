"""UI: how long the dashboard's list pages take in an account with 100,000 messages."""

from __future__ import annotations

from typing import Any

from bench.context import Bench
from bench.figures import Figure, ms, percentile
from bench.load import request
from bench.rows import person_of
from bench.stack import Broken
from devstack.launcher.processes import WORKERS

#: how often each page is asked for, one after the other
TIMES = 25
PEOPLE = 20_000
#: every page with a list or with numbers over many messages; ``{contact}`` and ``{deep}`` are filled in
PAGES = (
    "/app",
    "/app/messages",
    "/app/messages?status=failed",
    "/app/messages?status=delivered&q=141500",
    "/app/messages?q=hello",
    "/app/messages?before={deep}",
    "/app/conversations",
    "/app/conversations?show=all",
    "/app/conversations/{contact}",
    "/app/templates",
    "/app/suppressions",
    "/app/webhooks",
    "/app/log",
    "/app/numbers",
    "/app/keys",
    "/app/team",
    "/app/billing",
)


def pages(bench: Bench) -> list[Figure]:
    """Fill one account, sign its owner in, and ask for every page with a list."""
    count = bench.size(20_000, 100_000)
    bench.start_web()
    bench.stack.stop_one("beat", *WORKERS)
    _fill(bench, count)
    cookie, made = _sign_in(bench, count)
    found: dict[str, float] = {}
    with bench.stack.watch() as watch:
        for page in PAGES:
            gets = [request("GET", page.format(**made), Cookie=cookie)] * TIMES
            result = bench.load.run(bench.stack.web_port, gets, connections=1, seconds=60, count=TIMES)
            if result.statuses != {200}:
                raise Broken(f"{page} answered {result.statuses}")
            found[page] = percentile(result.took, 0.95)
    slowest = max(found, key=lambda page: found[page])
    return [
        Figure(
            "UI", f"slowest of {len(PAGES)} list pages of the dashboard, {count:,} messages, p95",
            ms(found[slowest]), " ms", goal="≤ 150 ms", reached=found[slowest] <= 0.15,
            note=f"{slowest}; the median page {ms(percentile(list(found.values()), 0.5)):g} ms",
            others=watch.others, detail={"seconds": found},
        )
    ]  # fmt: skip


def _fill(bench: Bench, count: int) -> None:
    """Messages of the last 14 days in every state, a tenth of them written by people."""
    rows = bench.rows
    rows.clear()
    rows.contacts(PEOPLE, numbers=1)
    when = "now() - make_interval(secs => g * 12)"
    common: dict[str, str] = {"created_at": when, "contact_id": person_of(f"(g %% {PEOPLE})")}
    rows.messages(
        count * 9 // 10,
        numbers=1,
        events=3,
        status="(ARRAY['delivered','read','sent','failed','delivered'])[1 + g %% 5]",
        sent_at=when,
        wamid="'wamid.PAGES' || md5(g::text)",
        **common,
    )
    rows.messages(count // 10, numbers=1, status="'received'", direction="'in'", **common)
    rows.database.execute("UPDATE messaging_contact SET last_inbound_at = now() - interval '1 hour'")
    rows.settle()


def _sign_in(bench: Bench, count: int) -> tuple[str, dict[str, Any]]:
    """Return the owner's session cookie, and what the pages' addresses need."""
    from allauth.account.models import EmailAddress
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone

    from accounts.models import Account
    from messaging.models import Contact, Message

    account = Account.objects.get(pk=bench.rows.senders[0].account_id)
    account.claimed_at = timezone.now()
    account.save()
    owner = account.memberships.select_related("user").order_by("pk")[0].user
    EmailAddress.objects.update_or_create(
        user=owner, email=owner.email, defaults={"verified": True, "primary": True}
    )
    client = Client()
    client.force_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    name = settings.SESSION_COOKIE_NAME
    contact = Contact.objects.filter(account=account).order_by("pk")[0]
    deep = Message.objects.filter(account=account).order_by("-pk").values_list("pk", flat=True)[count // 2]
    return f"{name}={client.cookies[name].value}", {"deep": deep, "contact": contact.pk}
