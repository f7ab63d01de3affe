"""Stripe's wire format: bracketed forms in, JSON objects, lists and errors out. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Any

Object = dict[str, Any]
_PART = re.compile(r"[^\[\]]+")


class StripeError(Exception):
    """An error as Stripe answers it."""

    def __init__(self, status: int, message: str, *, code: str = "", param: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body: Object = {
            "error": {
                "type": kind or ("invalid_request_error" if status < 500 else "api_error"),
                "message": message,
                **({"code": code} if code else {}),
                **({"param": param} if param else {}),
            }
        }


def missing(what: str, ident: str, *, status: int = 404, param: str = "id") -> StripeError:
    """Return the error for an object that is not there."""
    return StripeError(status, f"No such {what}: '{ident}'", code="resource_missing", param=param)


def read_form(pairs: Iterable[tuple[str, str]]) -> Object:
    """Turn ``items[0][price]=x`` into ``{"items": [{"price": "x"}]}``."""
    found: Object = {}
    for name, value in pairs:
        parts = _PART.findall(name)
        if not parts or len(parts) > 8:
            raise StripeError(400, f"Invalid parameter name: {name[:100]}", code="parameter_unknown")
        inner = found
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise StripeError(400, f"Invalid object: {name[:100]}", param=parts[0])
        inner[parts[-1]] = value
    return {name: _lists(value) for name, value in found.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(one) for name, one in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def only(params: Object, *allowed: str) -> None:
    """Refuse a parameter that the call does not have, as Stripe does."""
    for name in params:
        if name not in allowed:
            raise StripeError(
                400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )


def needed(params: Object, name: str) -> str:
    """Return a required text parameter."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise StripeError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
    return value


def page(objects: Sequence[Object], params: Object, url: str) -> Object:
    """Return one page of a list, newest first."""
    limit = int(params.get("limit", 10))
    if not 1 <= limit <= 100:
        raise StripeError(400, "limit must be between 1 and 100", param="limit")
    rows = list(reversed(objects))
    after = params.get("starting_after")
    if after is not None:
        ids = [row["id"] for row in rows]
        if after not in ids:
            raise missing("object", after, status=400, param="starting_after")
        rows = rows[ids.index(after) + 1 :]
    return {"object": "list", "url": url, "has_more": len(rows) > limit, "data": rows[:limit]}


def signature(raw: bytes, secrets: Iterable[str], at: int) -> str:
    """Return the ``Stripe-Signature`` header of a body; several secrets while one is being replaced."""
    signed = str(at).encode() + b"." + raw
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={digest}" for digest in digests)])
