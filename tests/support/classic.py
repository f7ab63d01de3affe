"""What the tests of the classic API share: sends, and how a message reads."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Account
from tests.factories import api

TO = "14155552671"
TEXT = {"to": TO, "message": "Hello"}
TEMPLATE = {"to": TO, "template": {"name": "hello_world", "language": "en_US"}}
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def later(**delta: float) -> str:
    """Return a moment in the future as a customer writes it."""
    return (timezone.now() + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def send(who: Account, body: dict[str, Any], **more: Any) -> Any:
    """Send one message."""
    return api(who).post_json("/send-message", body, **more)


def shown(who: Account, ident: object) -> dict[str, Any]:
    """Return a message as its owner reads it."""
    answer = api(who).get(f"/messages/{ident}")
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]
