"""Every page that a person can open, once: what is tested of one page is tested of all of them.

``DASHBOARD`` and ``SIGNING_IN`` are listed here; the documentation's pages are read from its library.
An address of the URLconf that is neither here nor in ``NO_PAGES`` fails a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from django.conf import settings
from django.urls import URLPattern, get_resolver

from accounts.dashboard.sign_in import NotFound
from developers.guide import library


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its route in the URLconf, the address to open, what is posted to see it, who looks."""

    route: str
    path: str = ""
    #: the page is the answer to these values
    post: Mapping[str, object] | None = None
    #: the status that belongs to it
    status: int = 200
    #: ``owner``, ``member`` (has a second factor), ``newcomer`` (no account, no password) or nobody
    who: str = "owner"
    name: str = ""
    #: looks like others in the table, so two pictures of it are enough
    alike: bool = False
    #: the part that is ours, where the rest is somebody else's work
    ours: str = "html"

    def address(self, made: Mapping[str, object]) -> str:
        """Return where it is in a furnished account."""
        return "/" + (self.path or self.route).format(**made)

    def values(self, made: Mapping[str, object]) -> dict[str, str]:
        """Return what is posted in a furnished account."""
        return {name: str(value).format(**made) for name, value in (self.post or {}).items()}

    @property
    def title(self) -> str:
        """Return a name for a picture and a complaint."""
        if self.name:
            return self.name
        text = (self.path or self.route).replace("%3C", "")
        return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "home"


_TABLE = "to\n14155550100\nnonsense\n"
_TEMPLATE = {"name": "Wrong Name", "language": "en", "category": "UTILITY", "body": "Hello {{{{name}}}}"}

DASHBOARD = [
    Page("app"),
    Page("app/start", who="newcomer"),
    Page("app/join/<str:secret>", "app/join/{secret}", who="newcomer"),
    Page("app/join/<str:secret>", "app/join/nonsense", status=404),
    Page("app/keys"),
    Page("app/keys", post={"name": "New", "kind": "sk_live", "scopes": "*"}, name="app-keys-made"),
    Page("app/team"),
    Page("app/team", post={"email": "nobody", "role": "member"}, status=400, name="app-team-refused"),
    Page("app/team", post={"email": "new@example.com", "role": "member"}, name="app-team-invited"),
    Page("app/settings"),
    Page("app/profile"),
    Page("app/billing"),
    Page("billing/return"),
    Page("billing/return", "billing/return?done=1"),
    Page("app/numbers"),
    Page("app/numbers/new"),
    Page("app/numbers/new", status=403, who="member", name="app-forbidden"),
    Page("app/numbers/<str:number_id>", "app/numbers/{number}"),
    Page("app/setup/connect"),
    Page("app/setup/check"),
    Page("app/setup/callback"),
    Page("app/setup/test"),
    Page("app/setup/next"),
    Page("app/messages"),
    Page("app/messages", "app/messages?status=canceled", name="app-messages-nothing"),
    Page("app/messages/<str:message_id>", "app/messages/{failed}", name="app-message-failed"),
    Page("app/messages/<str:message_id>", "app/messages/{sent}", name="app-message-sent"),
    Page("app/messages/<str:message_id>", "app/messages/{inbound}", name="app-message-inbound"),
    Page("app/batches/<str:batch_id>", "app/batches/{batch}", name="app-batch"),
    Page("app/compose"),
    Page("app/compose", "app/compose?template={template}", name="app-compose-template"),
    Page("app/compose", "app/compose?kind=text&to=%3Cscript%3Ewindow.hacked%3D%22", name="app-compose-text"),
    Page(
        "app/compose",
        post={"kind": "text", "to": "call me", "text": ""},
        status=400,
        name="app-compose-refused",
    ),
    Page("app/compose/many"),
    Page("app/compose/many", "app/compose/many?template={template}", name="app-many-template"),
    Page(
        "app/compose/many",
        post={"template": "{template}", "number": "{number}", "sheet": _TABLE},
        name="app-many-report",
    ),
    Page("app/templates"),
    Page("app/templates", "app/templates?q=nothing_like_it", name="app-templates-nothing"),
    Page("app/templates/new"),
    Page("app/templates/new", post=_TEMPLATE, status=400, name="app-template-refused"),
    Page("app/templates/<str:template_id>", "app/templates/{template}", name="app-template"),
    Page(
        "app/templates/<str:template_id>/change",
        "app/templates/{template}/change",
        name="app-template-change",
    ),
    Page("app/conversations"),
    Page("app/conversations", "app/conversations?show=all"),
    Page("app/conversations/<str:contact_id>", "app/conversations/{contact}", name="app-conversation"),
    Page("app/suppressions"),
    Page("app/suppressions", post={"to": "call me"}, status=400, name="app-suppressions-refused"),
    Page("app/log"),
    Page("app/log", "app/log?failed=1"),
    Page("app/webhooks"),
    Page("app/webhooks", post={"url": "https://new.example.com", "events": "*"}, name="app-webhooks-made"),
    Page("app/webhooks", post={"url": "ftp://new.example.com"}, status=400, name="app-webhooks-refused"),
    Page("app/webhooks/<str:endpoint_id>", "app/webhooks/{endpoint}", name="app-endpoint"),
    Page(
        "app/webhooks/<str:endpoint_id>/<str:delivery_id>",
        "app/webhooks/{endpoint}/{delivery}",
        name="app-delivery",
    ),
    Page("^app(?:/.*)?$", "app/none", status=404),
]

SIGNING_IN = [
    Page("accounts/login/", who=""),
    Page(
        "accounts/login/",
        post={"login": "x@example.com", "password": "x"},
        who="",
        name="login-refused",
    ),
    Page("accounts/signup/", who=""),
    Page("accounts/signup/", post={"email": "x"}, who="", name="signup-refused"),
    Page("accounts/inactive/", who=""),
    Page("accounts/password/reset/", who=""),
    Page("accounts/password/reset/done/", who=""),
    Page("accounts/password/reset/key/done/", who=""),
    Page(
        "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        "accounts/password/reset/key/1-nonsense/",
        who="",
    ),
    Page("accounts/logout/"),
    Page("accounts/email/"),
    Page("accounts/password/change/"),
    Page("accounts/sessions/"),
    Page("accounts/2fa/"),
    Page("accounts/2fa/totp/activate/"),
    Page("accounts/2fa/webauthn/"),
    Page("accounts/2fa/webauthn/add/"),
    Page("accounts/2fa/", who="member", name="accounts-2fa-on"),
    Page("accounts/2fa/totp/deactivate/", who="member"),
    Page("accounts/2fa/recovery-codes/", who="member"),
    Page("accounts/2fa/recovery-codes/generate/", who="member"),
    Page("accounts/2fa/reauthenticate/", who="member"),
    Page("accounts/password/set/", who="newcomer"),
    Page("accounts/reauthenticate/"),
]

#: where somebody looks who has just begun and has nothing yet
EMPTY = [
    replace(page, name=f"empty-{page.title}", alike=True)
    for page in DASHBOARD
    if page.who == "owner"
    and page.status == 200
    and not page.post
    and not set("{?<") & set(page.path or page.route)
]

#: what answers to GET and is no page, with the reason
NO_PAGES = {
    "app/setup": "leads to the step where one stands",
    "app/setup/test/<str:message_id>": "the moving part of app/setup/test",
    "app/messages/export": "a file",
    "app/compose/sample.csv": "a file",
    "app/webhooks/<str:endpoint_id>/switch": "leads to the endpoint",
    "app/webhooks/<str:endpoint_id>/rotate": "leads to the endpoint",
    "app/webhooks/<str:endpoint_id>/remove": "leads to the endpoint",
    "accounts/confirm-email/": "only for who is signing up: tests/dashboard/test_journey.py looks at it",
    "accounts/login/code/confirm/": "only for who asked for a code",
    "accounts/2fa/authenticate/": "only between password and second factor",
    "accounts/2fa/recovery-codes/download/": "a file",
    "accounts/2fa/webauthn/reauthenticate/": "only for who has a passkey",
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": "only for who has a passkey",
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": "only for who has a passkey",
    "accounts/2fa/webauthn/login/": "an answer for a script",
}


def public() -> list[Page]:
    """Return what is open to everybody."""
    guides = library(settings.PUBLIC_URL, settings.MAX_BULK_MESSAGES).guides
    return [
        Page("", who=""),
        *(
            Page("developers/<str:slug>", one.href[1:], who="", alike=one.slug not in ("", "quickstart"))
            for one in guides.values()
        ),
        Page("developers/events", who=""),
        Page("developers/errors", who=""),
        Page("developers/errors/<str:code>", "developers/errors/131047", who=""),
        Page("developers/errors/<str:code>", "developers/errors/outcome_unknown", who=""),
        Page("changelog", who=""),
        Page("docs", who="", ours=".explorer-top"),
    ]


def routes() -> Iterator[str]:
    """Give every route of the dashboard and of signing in that answers to GET."""
    for route, pattern in _walk(get_resolver().url_patterns, ""):
        view = getattr(pattern.callback, "view_class", None)
        can_be_read = view is None or hasattr(view, "get") or view is NotFound
        if route.removeprefix("^").startswith(("app", "accounts/", "billing/return")) and can_be_read:
            yield route


def _walk(patterns: list, before: str) -> Iterator[tuple[str, URLPattern]]:
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield route, one
        else:
            yield from _walk(one.url_patterns, route)
