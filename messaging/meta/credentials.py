"""Care of access tokens on their way to Meta: checks before, the proof with it, redaction after."""

from __future__ import annotations

import hashlib
import hmac
import json
import re

from core.secret import Secret

#: what every object of Meta's is called by
NUMERIC_ID = re.compile(r"[0-9]{5,20}")
_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")
_TOKEN = re.compile(r"[!-~]{1,2000}")
_BASE = re.compile(r"https?://[^\s?#@]+")
REDACTED = "[secret]"


def checked_id(value: str, what: str) -> str:
    """Return ``value`` if it is a numeric id of Meta's (5 to 20 ASCII digits), else raise ValueError.

    Ids become parts of a path, so anything else could address another object with the same token.
    """
    if not isinstance(value, str) or not NUMERIC_ID.fullmatch(value):
        raise ValueError(f"{what} must be 5 to 20 digits")
    return value


def checked_base(graph_url: str, version: str) -> str:
    """Return ``<graph_url>/<version>`` without a trailing slash, or raise ValueError."""
    if not _BASE.fullmatch(graph_url):
        raise ValueError("graph_url must be an http or https address without query and user name")
    if not _VERSION.fullmatch(version):
        raise ValueError("version must look like v25.0")
    return f"{graph_url.rstrip('/')}/{version}"


def check_token(token: Secret) -> None:
    """Raise ValueError unless ``token`` can stand in a header; the text never contains the token.

    Checked here because the HTTP libraries quote a header they refuse in their exceptions.
    """
    if not _TOKEN.fullmatch(token.reveal()):
        raise ValueError("the access token is empty or has characters that no token of Meta's has")


def appsecret_proof(token: Secret, app_secret: Secret | None) -> str | None:
    """Return Meta's ``appsecret_proof``: hex HMAC-SHA256 of the token with the app secret as key.

    ``None`` without an app secret. Source: Graph API guide "Securing requests". It is computed for
    every call: it takes about two microseconds, and a cache would be one more place with secrets.
    """
    if not app_secret:
        return None
    return hmac.digest(app_secret.reveal().encode(), token.reveal().encode(), hashlib.sha256).hex()


def redact(raw: bytes, *secrets: Secret | None) -> bytes:
    """Return ``raw`` without the secrets, as they are and as JSON strings write them.

    Meta quotes tokens in some errors ("Malformed access token …"), and those texts are stored and shown.
    """
    for secret in secrets:
        if not secret:
            continue
        plain = secret.reveal()
        quoted = json.dumps(plain)[1:-1]
        for form in {plain, quoted, quoted.replace("/", "\\/")}:
            raw = raw.replace(form.encode(errors="replace"), REDACTED.encode())
    return raw
