"""Reads and set-up calls of the Graph API for moments when a person waits (synchronous).

One ``Graph`` is one customer's access. It is not meant for sending; ``client.py`` does that. It is not
safe to share between threads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import IO, Any

import orjson
import requests
from requests.auth import AuthBase

from core.secret import Secret
from messaging.meta.codes import MetaCode, lookup
from messaging.meta.credentials import appsecret_proof, check_token, checked_base, checked_id, redact
from messaging.meta.envelope import document_of, error_of, text

ANSWER_LIMIT = 16 * 1024 * 1024
"""Bytes read of an answer; a page of a hundred long templates stays far below."""

TEMPLATE_LIMIT = 6000
"""Templates one WhatsApp account can have (Meta, verified businesses); reading stops there."""

_PAGE_SIZE = 100
_CURSOR_INVALID = 131059

_NUMBER_FIELDS = "id,display_phone_number,verified_name,quality_rating,platform_type,throughput,status"
_NUMBER_EXTRAS = (
    "code_verification_status,name_status,account_mode,is_official_business_account,is_on_biz_app,"
    "webhook_configuration,whatsapp_business_manager_messaging_limit"
)
TEMPLATE_FIELDS = (
    "id,name,language,status,category,previous_category,parameter_format,components,"
    "quality_score,rejected_reason,message_send_ttl_seconds"
)


class GraphError(Exception):
    """Meta answered and said no. ``meta.tells`` is the sentence for the customer."""

    def __init__(
        self,
        meta: MetaCode,
        *,
        code: int | None,
        subcode: int | None,
        message: str | None,
        details: str | None,
        fbtrace_id: str | None,
        http_status: int,
    ) -> None:
        super().__init__(f"Meta answered HTTP {http_status}, code {code}: {message or meta.title}")
        self.meta = meta
        self.code = code
        self.subcode = subcode
        self.message = message
        self.details = details
        self.fbtrace_id = fbtrace_id
        self.http_status = http_status


class GraphUnreachable(Exception):
    """There was no usable answer; ``reason`` is a phrase of ours and never quotes the request."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _WithoutQuery(logging.Filter):
    """Cuts addresses at the ``?`` in urllib3's debug lines: ``debug_token`` has the token there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.split("?", 1)[0] + "?…" if isinstance(arg, str) and "?" in arg else arg
                for arg in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQuery())


class _Bearer(AuthBase):
    """Puts the token into the header at the last moment, so that no session holds it in the open."""

    def __init__(self, token: Secret, scheme: str = "Bearer") -> None:
        self._token = token
        self._scheme = scheme

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"{self._scheme} {self._token.reveal()}"
        return request


class Graph:
    """The Graph API as one access token sees it.

    Every call may raise ``GraphError`` (Meta said no), ``GraphUnreachable`` (no usable answer) or
    ValueError (an id that is no id, before anything is sent). ``timeout`` is in seconds for connecting
    and for each wait for data. The environment's proxies and netrc are ignored and redirects are not
    followed.
    """

    def __init__(
        self,
        graph_url: str,
        version: str,
        access_token: Secret,
        app_secret: Secret | None = None,
        timeout: float = 10,
    ) -> None:
        self._base = checked_base(graph_url, version)
        check_token(access_token)
        self._token = access_token
        self._app_secret = app_secret
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = "application/json"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def phone_number(self, phone_number_id: str) -> dict[str, Any]:
        """Return what Meta knows of a number: name, status, quality, throughput, limit, callback addresses.

        Fields that this version of the API does not have are left out: one unknown name makes Meta
        refuse the whole call, so it is then repeated with the basic ones.
        """
        path = checked_id(phone_number_id, "phone_number_id")
        try:
            return self._call("GET", path, fields=f"{_NUMBER_FIELDS},{_NUMBER_EXTRAS}")
        except GraphError as error:
            if error.code != 100 or "nonexisting field" not in (error.message or ""):
                raise
        return self._call("GET", path, fields=_NUMBER_FIELDS)

    def waba_phone_numbers(self, waba_id: str) -> list[dict[str, Any]]:
        """Return the numbers of an account, the last onboarded first."""
        path = f"{checked_id(waba_id, 'waba_id')}/phone_numbers"
        return list(self._pages(path, _NUMBER_FIELDS, limit=1000))

    def templates(self, waba_id: str) -> Iterator[dict[str, Any]]:
        """Yield the templates of an account, page by page, each id once and at most ``TEMPLATE_LIMIT``."""
        path = f"{checked_id(waba_id, 'waba_id')}/message_templates"
        return self._pages(path, TEMPLATE_FIELDS, limit=TEMPLATE_LIMIT)

    def subscribed_apps(self, waba_id: str) -> list[dict[str, Any]]:
        """Return the apps that get callbacks about an account, each with its override address if set."""
        answer = self._call("GET", f"{checked_id(waba_id, 'waba_id')}/subscribed_apps")
        return _objects(answer.get("data"))

    def subscribe_app(self, waba_id: str) -> bool:
        """Subscribe the token's app to an account's callbacks; return whether Meta confirmed it."""
        answer = self._call("POST", f"{checked_id(waba_id, 'waba_id')}/subscribed_apps")
        return answer.get("success") is True

    def set_callback(self, phone_number_id: str, *, url: str, verify_token: str) -> bool:
        """Let a number's callbacks go to ``url``; Meta asks that address for the challenge first.

        The token's app must be subscribed before. Returns whether Meta confirmed it.
        """
        wanted = orjson.dumps({"override_callback_uri": url, "verify_token": verify_token}).decode()
        path = checked_id(phone_number_id, "phone_number_id")
        answer = self._call("POST", path, form={"webhook_configuration": wanted})
        return answer.get("success") is True

    def debug_token(self) -> dict[str, Any]:
        """Return what Meta knows of the token itself: app, type, scopes, end (``expires_at`` 0: never).

        The token is its own witness here, so no app token is needed. Decide on ``scopes``, because
        ``granular_scopes`` can be incomplete. An invalid token gives ``GraphError`` or ``is_valid`` false.
        """
        data = self._call("GET", "debug_token", input_token=self._token.reveal()).get("data")
        return data if isinstance(data, dict) else {}

    def upload_media(self, phone_number_id: str, *, name: str, mime_type: str, file: IO[bytes]) -> str:
        """Upload a file to send from this number and return its media id (kept by Meta for 30 days)."""
        path = f"{checked_id(phone_number_id, 'phone_number_id')}/media"
        answer = self._call(
            "POST",
            path,
            files={"file": (name, file, mime_type)},
            form={"messaging_product": "whatsapp", "type": mime_type},
        )
        return str(answer.get("id") or "")

    def health(self, phone_number_id: str) -> dict[str, Any]:
        """Return Meta's ``health_status`` of a number: ``can_send_message`` and why not, per entity."""
        path = checked_id(phone_number_id, "phone_number_id")
        found = self._call("GET", path, fields="health_status").get("health_status")
        return found if isinstance(found, dict) else {}

    def _pages(self, path: str, fields: str, *, limit: int) -> Iterator[dict[str, Any]]:
        """Yield the items of a paged list, each id once.

        ``paging.next`` carries the access token in its query, so the next call is built from the
        ``after`` cursor instead. A cursor that Meta no longer accepts (131059) restarts the list once.
        """
        seen: set[str] = set()
        cursors: set[str] = set()
        after: str | None = None
        restarted = False
        yielded = 0
        while True:
            try:
                extra: dict[str, Any] = {"after": after} if after else {}
                page = self._call("GET", path, fields=fields, limit=str(_PAGE_SIZE), **extra)
            except GraphError as error:
                if error.code != _CURSOR_INVALID or restarted or after is None:
                    raise
                restarted, after = True, None
                cursors.clear()
                continue
            for item in _objects(page.get("data")):
                identity = str(item.get("id", ""))
                if identity and identity in seen:
                    continue
                seen.add(identity)
                yield item
                yielded += 1
                if yielded >= limit:
                    return
            after = _next_cursor(page)
            if after is None or after in cursors:  # a repeated cursor would turn in a circle
                return
            cursors.add(after)

    def _call(
        self,
        method: str,
        path: str,
        *,
        files: Mapping[str, tuple[str, IO[bytes], str]] | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        scheme: str = "Bearer",
        **params: str,
    ) -> dict[str, Any]:
        """Make one call and return the JSON object Meta answered with."""
        proof = appsecret_proof(self._token, self._app_secret)
        if proof:
            params["appsecret_proof"] = proof
        reason = ""
        try:
            with self._session.request(
                method,
                f"{self._base}/{path}",
                params=params,
                files=files,
                data=form if raw is None else raw,
                json=json,
                headers=headers,
                auth=_Bearer(self._token, scheme),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                status = response.status_code
                trace = text(response.headers.get("x-fb-trace-id"))
                answer = _read_bounded(response)
        except requests.Timeout:
            reason = "Meta did not answer within the time limit"
        except requests.exceptions.SSLError:
            reason = "no trusted TLS connection to Meta could be made"
        except requests.ConnectionError:
            reason = "no connection to Meta could be made, or it was lost"
        except (requests.RequestException, ValueError):  # ValueError: a host name that no resolver takes
            reason = "the call to Meta could not be made"
        if reason:
            # Raised out here, because the exceptions of requests quote the address with its query and
            # would stay attached to ours as its context.
            raise GraphUnreachable(reason)
        document = document_of(redact(answer, self._token, self._app_secret))
        if 200 <= status < 300 and isinstance(document, dict):
            return document
        if 200 <= status < 300:
            raise GraphUnreachable("Meta's answer was not JSON")
        raise _refusal(status, document, trace)


def _read_bounded(response: requests.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_content(64 * 1024):
        size += len(part)
        if size > ANSWER_LIMIT:
            raise GraphUnreachable("Meta's answer was too large")
        parts.append(part)
    return b"".join(parts)


def _refusal(status: int, document: object, trace: str | None) -> GraphError:
    error = error_of(document)
    code = error.code if error else None
    subcode = error.subcode if error else None
    return GraphError(
        lookup(code, subcode=subcode, http_status=status),
        code=code,
        subcode=subcode,
        message=error.title if error else None,
        details=error.details if error else None,
        fbtrace_id=(error.fbtrace_id if error else None) or trace,
        http_status=status,
    )


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _next_cursor(page: Mapping[str, Any]) -> str | None:
    paging = page.get("paging")
    if not isinstance(paging, Mapping) or not paging.get("next"):
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, Mapping) else None
    return after if isinstance(after, str) and after else None
