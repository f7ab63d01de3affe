"""System checks: every way to misconfigure Hermod has an id, a sentence and a hint."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from core.failpoints import ACTIVE as FAILPOINTS_ACTIVE

TAG = "hermod"


@checks.register(TAG)
def secrets_are_given(**_: Any) -> list[checks.CheckMessage]:
    """E001–E003: the two secrets that nothing may guess."""
    found: list[checks.CheckMessage] = []
    if not settings.SECRET_KEY_GIVEN:
        found.append(
            checks.Error(
                "SECRET_KEY is not set.",
                hint="Set SECRET_KEY to 50 random characters; `make run` makes one and keeps it in DATA_DIR.",
                id="hermod.E001",
            )
        )
    if not settings.CREDENTIALS_KEYS:
        found.append(
            checks.Error(
                "CREDENTIALS_KEYS is not set: customers' Meta tokens could not be encrypted.",
                hint="Set it to the output of `python manage.py new_credentials_key`; keep a copy of it "
                "apart from the database backups.",
                id="hermod.E002",
            )
        )
    else:
        from accounts.vault import BadKey, KeyRing

        try:
            KeyRing.from_texts(settings.CREDENTIALS_KEYS)
        except BadKey as error:
            found.append(
                checks.Error(
                    f"CREDENTIALS_KEYS cannot be used: {error}",
                    hint="Each key is 32 random bytes in URL-safe base64; separate several with commas.",
                    id="hermod.E003",
                )
            )
    return found


@checks.register(TAG)
def servers_are_given(**_: Any) -> list[checks.CheckMessage]:
    """E004–E006: a database and a broker, of the right kind."""
    found: list[checks.CheckMessage] = []
    if not settings.DATABASE_URL:
        found.append(
            checks.Error(
                "DATABASE_URL is not set and no embedded server is running.",
                hint="Start `make run`, or set DATABASE_URL=postgres://user:password@host:5432/name.",
                id="hermod.E004",
            )
        )
    elif not settings.DATABASE_URL.startswith(("postgres://", "postgresql://")):
        found.append(
            checks.Error(
                "DATABASE_URL is not a Postgres address.",
                hint="Hermod's queue is made of Postgres row locks; no other database has them.",
                id="hermod.E005",
            )
        )
    if not settings.REDIS_URL:
        found.append(
            checks.Error(
                "REDIS_URL is not set and no embedded server is running.",
                hint="Start `make run`, or set REDIS_URL=redis://host:6379/0.",
                id="hermod.E006",
            )
        )
    return found


@checks.register(TAG)
def addresses_make_sense(**_: Any) -> list[checks.CheckMessage]:
    """E007–E009, E014: URLs, the Graph version and the engines' times."""
    found: list[checks.CheckMessage] = []
    for name in ("PUBLIC_URL", "META_GRAPH_URL"):
        if not _is_address(getattr(settings, name)):
            found.append(
                checks.Error(
                    f"{name} is not an http(s) address.",
                    hint=f"For example {name}=https://hermod.example.com",
                    id="hermod.E007",
                )
            )
    if not re.fullmatch(r"v[0-9]{2}\.[0-9]", settings.META_GRAPH_VERSION):
        found.append(
            checks.Error("META_GRAPH_VERSION is not a version.", hint="For example v25.0.", id="hermod.E008")
        )
    if settings.SEND_TIMEOUT_SECONDS >= settings.SEND_LEASE_SECONDS:
        found.append(
            checks.Error(
                "SEND_TIMEOUT_SECONDS must be shorter than SEND_LEASE_SECONDS.",
                hint="A call to Meta that outlives its lease could be made twice.",
                id="hermod.E009",
            )
        )
    if settings.WEBHOOK_TIMEOUT_SECONDS + 5 > settings.WEBHOOK_LEASE_SECONDS:
        found.append(
            checks.Error(
                "WEBHOOK_LEASE_SECONDS must be longer than WEBHOOK_TIMEOUT_SECONDS by 5 or more.",
                hint="No delivery could be started within its lease.",
                id="hermod.E014",
            )
        )
    return found


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


@checks.register(TAG)
def the_proxy_is_named(**_: Any) -> list[checks.CheckMessage]:
    """E015, W006, W007: who stands in front, and whose word about clients is believed."""
    found: list[checks.CheckMessage] = []
    for text in settings.TRUSTED_PROXIES:
        try:
            ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            found.append(
                checks.Error(
                    "TRUSTED_PROXIES has something in it that is neither an address nor a network.",
                    hint="Separate them with commas, for example TRUSTED_PROXIES=127.0.0.1/32,10.0.0.0/8.",
                    id="hermod.E015",
                )
            )
            break
    if settings.DEVELOPMENT or not settings.PUBLIC_URL.startswith("https://"):
        return found
    if settings.SECURE_PROXY_SSL_HEADER is None:
        found.append(
            checks.Warning(
                "PUBLIC_URL is https, and BEHIND_PROXY is off: every request looks like plain http.",
                hint="A proxy ends TLS in front. Set BEHIND_PROXY=1 once it overwrites X-Forwarded-Proto; "
                "without that pages are redirected to themselves for ever.",
                id="hermod.W006",
            )
        )
    elif not settings.TRUSTED_PROXIES:
        found.append(
            checks.Warning(
                "BEHIND_PROXY is on, and TRUSTED_PROXIES is empty: every client has the proxy's address.",
                hint="All of them share one limit of registrations and sign-ins. Set TRUSTED_PROXIES to the "
                "address that the proxy calls from, for example 127.0.0.1/32.",
                id="hermod.W007",
            )
        )
    return found


@checks.register(TAG)
def switches_are_safe(**_: Any) -> list[checks.CheckMessage]:
    """E010, E012, E013, E020, W001–W005: what is fine on a laptop and dangerous on a server."""
    found: list[checks.CheckMessage] = []
    if not settings.DEVELOPMENT:
        if settings.WEBHOOK_ALLOW_PRIVATE:
            found.append(
                checks.Error(
                    "WEBHOOK_ALLOW_PRIVATE is on while DEBUG is off.",
                    hint="It lets customers reach addresses inside your network; unset it.",
                    id="hermod.E010",
                )
            )
        if FAILPOINTS_ACTIVE:
            found.append(
                checks.Error(
                    "FAILPOINTS is set while DEBUG is off.",
                    hint="It makes the service kill or delay itself on purpose; unset it.",
                    id="hermod.E013",
                )
            )
        if settings.STRIPE_API_BASE:
            found.append(
                checks.Error(
                    "STRIPE_API_BASE is set while DEBUG is off.",
                    hint="It sends the secret key, and the question who has paid, to somebody who is not "
                    "Stripe; unset it.",
                    id="hermod.E020",
                )
            )
        if "*" in settings.ALLOWED_HOSTS:
            found.append(
                checks.Error(
                    "ALLOWED_HOSTS allows every host.",
                    hint="Name your hosts; the pages are served under these names alone.",
                    id="hermod.E012",
                )
            )
        if settings.PUBLIC_URL.startswith("http://"):
            found.append(
                checks.Warning(
                    "PUBLIC_URL is not https; Meta calls back only over TLS.",
                    hint="Put a TLS proxy in front and set PUBLIC_URL and BEHIND_PROXY=1.",
                    id="hermod.W001",
                )
            )
        if settings.META_GRAPH_URL.startswith("http://"):
            found.append(
                checks.Warning(
                    "META_GRAPH_URL is not https: access tokens would travel in the clear.",
                    hint="Unset it to talk to Meta.",
                    id="hermod.W002",
                )
            )
        if settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
            found.append(
                checks.Warning(
                    "EMAIL_URL is not set: mails are printed instead of sent.",
                    hint="Nobody can prove an address, so nobody can sign up or be invited; set EMAIL_URL.",
                    id="hermod.W005",
                )
            )
    if bool(settings.STRIPE_SECRET_KEY) != bool(settings.STRIPE_WEBHOOK_SECRET):
        found.append(
            checks.Warning(
                "Only one of STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET is set.",
                hint="Checkout without the webhook takes money and changes no plan; set both or neither.",
                id="hermod.W003",
            )
        )
    if settings.STRIPE_SECRET_KEY and not (settings.STRIPE_PRICE_BASIC and settings.STRIPE_PRICE_PRO):
        found.append(
            checks.Warning(
                "STRIPE_SECRET_KEY is set but a plan has no price.",
                hint="Set STRIPE_PRICE_BASIC and STRIPE_PRICE_PRO; a plan without a price cannot be bought.",
                id="hermod.W004",
            )
        )
    return found


def refuse_misconfiguration() -> None:
    """Run Hermod's own checks and raise ``ImproperlyConfigured`` on the first error.

    Called by processes that Django does not check by itself (gunicorn, the Celery worker).
    """
    errors = [found for found in checks.run_checks(tags=[TAG]) if found.is_serious()]
    if errors:
        raise ImproperlyConfigured("\n".join(str(error) for error in errors))
