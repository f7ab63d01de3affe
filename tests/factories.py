"""Builders that the tests share: an account, a client that carries a key, a connected number, a message."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpResponse
from django.test import Client, override_settings
from django.utils import timezone

from accounts import keys
from accounts.connections import NOT_ASKED, Proof, save_credentials
from accounts.models import Account, ApiKey, Number
from accounts.registration import register
from core import redis as our_redis
from core.secret import Secret
from messaging.models import Message, MessageEvent, Status

#: a token of the right shape that belongs to nobody
TOKEN = "EAAJB" + "ZCtest0token1" * 8
APP_SECRET = "0123456789abcdef" * 2
#: a rate limit that no test reaches
PLENTY = 1_000_000

_numbers = itertools.count(1)


class Api(Client):
    """Django's client as a customer's program: sends JSON, carries a key, is checked for CSRF like one.

    A crash is an answer here (500), as it is for a customer, and not an exception in the test.
    """

    def __init__(self, key: str | None = None, **defaults: Any) -> None:
        if key is not None:
            defaults["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        super().__init__(enforce_csrf_checks=True, raise_request_exception=False, **defaults)
        self.key = key

    def send(
        self, method: str, path: str, body: Any = None, *, type: str = "application/json", **more: Any
    ) -> HttpResponse:
        """Call ``path``; a dict or list becomes JSON, bytes and text go out as they are."""
        if body is None:
            data, type = b"", ""
        elif isinstance(body, bytes):
            data = body
        else:
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
        return self.generic(method, path, data, content_type=type, **more)

    def post_json(self, path: str, body: Any = None, **more: Any) -> HttpResponse:
        """``POST`` with a JSON body (or none)."""
        return self.send("POST", path, body, **more)

    def put_json(self, path: str, body: Any = None, **more: Any) -> HttpResponse:
        """``PUT`` with a JSON body (or none)."""
        return self.send("PUT", path, body, **more)


def make_account(plan: str = "free", *, name: str = "", email: str = "") -> Account:
    """Register a customer, each with an address of its own."""
    number = next(_numbers)
    return register(
        name=name or f"Customer {number}", email=email or f"customer{number}@example.com", plan=plan
    ).account


def make_key(
    account: Account, *, kind: ApiKey.Kind = ApiKey.Kind.SK, scopes: tuple[str, ...] = ("*",), **fields: Any
) -> tuple[ApiKey, str]:
    """Issue a key; the second value is its text. ``fields`` are set on the row (``revoked_at=…``)."""
    key, secret = keys.issue(account, kind=kind, name="Test", scopes=scopes)
    if fields:
        ApiKey.objects.filter(pk=key.pk).update(**fields)
        key.refresh_from_db()
    return key, secret.reveal()


def api(who: Account | Secret | str | None = None, **defaults: Any) -> Api:
    """Return a client for an account (with a fresh key), for a key, or for nobody."""
    if isinstance(who, Account):
        return Api(make_key(who)[1], **defaults)
    return Api(who.reveal() if isinstance(who, Secret) else who, **defaults)


def connect(
    account: Account,
    *,
    token: str = TOKEN,
    phone_number_id: str = "",
    waba_id: str | None = None,
    app_secret: str | None = None,
    proven: bool = True,
) -> Number:
    """Save credentials for an account, by default for a number that nobody else has.

    ``proven``: as if Meta had confirmed that the token reaches the number and its WhatsApp account.
    """
    return save_credentials(
        account,
        access_token=Secret(token),
        phone_number_id=phone_number_id or str(700_000_000_000 + next(_numbers)),
        waba_id=waba_id,
        app_secret=Secret(app_secret) if app_secret else None,
        proof=Proof(number=True, waba_id=waba_id or "", again=False) if proven else NOT_ASKED,
    )


def make_message(
    account: Account, *, status: Status = Status.QUEUED, recipient: str = "14155552671", **fields: Any
) -> Message:
    """Store a message as it stands, with one timeline entry and nothing left to do."""
    now = timezone.now()
    message = Message.objects.create(
        account=account,
        **{
            "source": Message.Source.CLASSIC,
            "recipient": recipient,
            "type": "text",
            "body": "Hello",
            "content": {"type": "text", "text": {"body": "Hello"}},
            "status": status,
            "sequence": 1,
            "created_at": now,
        }
        | fields,
    )
    MessageEvent.objects.create(message=message, sequence=1, status=status, at=now, recorded_at=now)
    return message


def faulty_fields(answer: Any) -> list[str]:
    """Return the names of the fields that a 400 lists, in its order."""
    body: Mapping[str, Any] = answer.json()
    return [fault["field"] for fault in body.get("details", [])]


def refusal(error: str, page: str) -> dict[str, Any]:
    """Return the classic API's answer to a refusal that names no fields."""
    return {
        "success": False,
        "error": error,
        "code": page,
        "doc_url": f"{django_settings.PUBLIC_URL}/developers/errors/{page}",
    }


def without_trace(answer: Any) -> tuple[int, bytes, dict[str, str]]:
    """Return what an outsider can compare of two answers: all but the request's own id and count."""
    own = ("X-Correlation-ID", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    return answer.status_code, answer.content, headers


def _forget_redis() -> None:
    for one in vars(our_redis).values():
        if hasattr(one, "cache_clear"):
            one.cache_clear()
    our_redis._broken_until = 0.0


@contextlib.contextmanager
def redis_at(url: str = "unix:///nowhere/valkey.sock") -> Iterator[None]:
    """Give this process another Redis inside the block, by default none; its breaker is closed afterwards."""
    _forget_redis()
    try:
        with override_settings(REDIS_URL=url):
            yield
    finally:
        _forget_redis()
