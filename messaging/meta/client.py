"""The send call to Meta over aiohttp, with an answer that says what is proven and what is not.

An answer is one of four: Meta took the message (``Accepted``), Meta said no (``Refused``), the request
provably never left (``Unsent``), or nobody knows (``Unknown``). The API has no idempotency key, so the
line between the last two decides whether a person gets a message twice: what is not proven is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
import orjson

from core.secret import Secret
from messaging.meta.codes import MetaCode, Outcome, lookup
from messaging.meta.credentials import appsecret_proof, check_token, checked_base, checked_id, redact
from messaging.meta.envelope import document_of, error_of, integer, text

ANSWER_LIMIT = 1024 * 1024
"""Bytes read of an answer. Meta's have some hundred; more is not Meta or not an answer."""

KEEPALIVE_SECONDS = 15.0
"""How long an idle connection is kept. Short, because a request written on a connection that the other
side is just closing ends as ``Unknown``, and servers usually close after a minute or more."""

CONNECT_SECONDS = 10.0
"""Most seconds spent on getting a connection; below the whole timeout, so that the two stay apart."""

_RETRY_AFTER_LIMIT = 86_400.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call it is: where Meta is, which number, and the secrets to use it.

    Raises ValueError when a part could not be put into an address or a header safely.
    """

    graph_url: str
    version: str
    phone_number_id: str
    access_token: Secret
    app_secret: Secret | None = None

    def __post_init__(self) -> None:
        checked_base(self.graph_url, self.version)
        checked_id(self.phone_number_id, "phone_number_id")
        check_token(self.access_token)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Meta took the message for processing; delivery is reported by callback.

    ``wa_id`` is Meta's form of the recipient's number and may differ from ours; ``user_id`` is there
    when the message went to a user ID. ``message_status`` is Meta's word on template pacing.
    """

    wamid: str
    wa_id: str | None
    user_id: str | None
    message_status: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Meta said no, and the message was not processed; ``meta.outcome`` says what now.

    ``title`` and ``details`` are Meta's own words. ``retry_after`` is in seconds.
    """

    meta: MetaCode
    code: int | None
    subcode: int | None
    title: str | None
    details: str | None
    fbtrace_id: str | None
    http_status: int
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Unsent:
    """The request provably never left: no address, no connection or no TLS session."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Meta may or may not have processed the message; only a callback can tell.

    ``http_status``, ``code`` and the texts are Meta's, when there was an answer at all.
    """

    reason: str
    http_status: int | None = None
    fbtrace_id: str | None = None
    code: int | None = None
    title: str | None = None
    details: str | None = None


Answer = Accepted | Refused | Unsent | Unknown


def new_session(
    *, connections: int, traces: list[aiohttp.TraceConfig] | None = None
) -> aiohttp.ClientSession:
    """Return a session for ``send``; must be called inside a running event loop and closed by the caller.

    ``connections`` is the most connections held open at once, all of which may go to one host. Proxy
    settings and netrc of the environment are ignored and cookies are not kept, so that nothing of one
    customer's call can reach another's.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections,
            limit_per_host=connections,
            keepalive_timeout=KEEPALIVE_SECONDS,
            ttl_dns_cache=60,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        trace_configs=traces,
        headers={
            "Content-Type": "application/json",
            "Accept": "application/json",
            # The answers are tiny; uncompressed ones cannot expand in memory.
            "Accept-Encoding": "identity",
        },
    )


async def send(
    session: aiohttp.ClientSession,
    caller: Caller,
    body: bytes,
    *,
    timeout: float,  # noqa: ASYNC109 - aiohttp's own timeouts tell a connect timeout from a read timeout
) -> Answer:
    """Make one send call and judge its end; ``timeout`` is in seconds for the whole call.

    Exactly one request is made: POST is not among the methods aiohttp repeats on a lost connection, and
    redirects are not followed. Trouble of the network never raises; cancellation passes through.
    """
    if session.closed:
        return Unsent("the HTTP session is closed")
    limits = aiohttp.ClientTimeout(total=timeout, connect=min(CONNECT_SECONDS, timeout / 2))
    headers = {"Authorization": f"Bearer {caller.access_token.reveal()}"}
    try:
        async with session.post(
            _address(caller), data=body, headers=headers, timeout=limits, allow_redirects=False
        ) as response:
            raw = await _read_bounded(response.content)
            if raw is None:
                response.close()
                return Unknown("the answer is larger than 1 MB", response.status)
    # The reasons are our own words on purpose: the library's exceptions quote the address with its proof.
    except aiohttp.ClientConnectorError as error:
        return Unsent(_no_connection(error))
    except aiohttp.ConnectionTimeoutError:
        return Unsent("no connection within the time for connecting")
    except (aiohttp.InvalidURL, UnicodeError):  # UnicodeError: a host name that no resolver takes
        return Unsent("the address of the Graph API is not valid")
    except TimeoutError:
        return Unknown("no answer within the time limit")
    except aiohttp.ClientPayloadError:
        return Unknown("the answer broke off")
    except aiohttp.ClientResponseError:
        return Unknown("the answer was not HTTP")
    except (aiohttp.ClientError, OSError):
        return Unknown("the connection was lost before the answer")
    clean = redact(raw, caller.access_token, caller.app_secret)
    return classify(response.status, clean, response.headers)


def classify(http_status: int, raw: bytes, headers: Mapping[str, str]) -> Answer:
    """Judge an answer of Meta's by status, body and headers (pure; header names in any case)."""
    named = {name.lower(): value for name, value in headers.items()}
    document = document_of(raw)
    trace = text(named.get("x-fb-trace-id"))
    if 200 <= http_status < 300:
        return _accepted(document) or Unknown("Meta answered without a message id", http_status, trace)
    error = error_of(document)
    code = error.code if error else None
    subcode = error.subcode if error else None
    trace = (error.fbtrace_id if error else None) or trace
    meta = lookup(code, subcode=subcode, http_status=http_status)
    if meta.outcome is Outcome.UNKNOWN:
        named_code = f", code {code}" if code is not None else ""
        return Unknown(
            f"Meta answered HTTP {http_status}{named_code}",
            http_status,
            trace,
            code,
            error.title if error else None,
            error.details if error else None,
        )
    return Refused(
        meta=meta,
        code=code,
        subcode=subcode,
        title=error.title if error else None,
        details=error.details if error else None,
        fbtrace_id=trace,
        http_status=http_status,
        retry_after=_retry_after(named, meta.outcome),
    )


def _address(caller: Caller) -> str:
    base = checked_base(caller.graph_url, caller.version)
    proof = appsecret_proof(caller.access_token, caller.app_secret)
    query = f"?appsecret_proof={proof}" if proof else ""
    return f"{base}/{caller.phone_number_id}/messages{query}"


async def _read_bounded(stream: aiohttp.StreamReader) -> bytes | None:
    """Return the whole body, or ``None`` if it is longer than ``ANSWER_LIMIT``."""
    parts: list[bytes] = []
    size = 0
    async for part in stream.iter_chunked(64 * 1024):
        size += len(part)
        if size > ANSWER_LIMIT:
            return None
        parts.append(part)
    return b"".join(parts)


def _no_connection(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the address of the Graph API could not be resolved"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no trusted TLS connection could be made"
    return "the connection was refused or the host could not be reached"


def _first(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    items = document.get(key)
    first = items[0] if isinstance(items, list) and items else None
    return first if isinstance(first, Mapping) else {}


def _accepted(document: object) -> Accepted | None:
    if not isinstance(document, Mapping):
        return None
    message = _first(document, "messages")
    wamid = text(message.get("id"))
    if wamid is None:
        return None
    contact = _first(document, "contacts")
    return Accepted(
        wamid=wamid,
        wa_id=text(contact.get("wa_id")),
        user_id=text(contact.get("user_id")),
        message_status=text(message.get("message_status")),
    )


def _retry_after(headers: Mapping[str, str], outcome: Outcome) -> float | None:
    """Return the seconds Meta asks to wait, 0 to one day.

    ``Retry-After`` is not documented for the Graph API but obeyed when present; a date in it counts from
    the answer's own ``Date``, so that our clock does not matter. For a limit of the whole account Meta
    gives minutes in ``X-Business-Use-Case-Usage``.
    """
    seconds = _seconds(headers.get("retry-after"), headers.get("date"))
    if seconds is None and outcome is Outcome.THROTTLE_ACCOUNT:
        seconds = _usage_seconds(headers.get("x-business-use-case-usage"))
    if seconds is None or not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), _RETRY_AFTER_LIMIT)


def _seconds(value: str | None, date: str | None) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        pass
    if date is None:
        return None
    try:
        return (parsedate_to_datetime(value) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def _usage_seconds(value: str | None) -> float | None:
    try:
        usage = orjson.loads(value or "")
    except ValueError:
        return None
    entries = usage.values() if isinstance(usage, Mapping) else []
    minutes = [
        integer(item.get("estimated_time_to_regain_access"))
        for items in entries
        if isinstance(items, list)
        for item in items
        if isinstance(item, Mapping)
    ]
    longest = max((minute for minute in minutes if minute is not None), default=0)
    return longest * 60.0 if longest > 0 else None
