"""The things the sandbox's world is made of: apps, tokens, accounts, numbers, templates, media, messages."""

import json
from dataclasses import dataclass, field
from typing import Any

from . import limits

SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")


@dataclass(slots=True)
class App:
    """A Meta app: its secret signs the callbacks that go to its callback address."""

    app_id: str
    secret: str
    name: str
    callback_url: str = ""
    verify_token: str = ""
    fields: tuple[str, ...] = ("messages", "message_template_status_update", "phone_number_quality_update")


@dataclass(slots=True)
class Token:
    """A system user's access token, bound to one app, with the accounts it may see."""

    value: str
    app_id: str
    waba_ids: set[str]
    issued_at: float
    valid: bool = True
    expires_at: float = 0.0
    scopes: tuple[str, ...] = SCOPES
    user_id: str = "104169029247128"


@dataclass(slots=True)
class Template:
    """A message template in one language; `spec` keeps what the checks worked out of its components."""

    id: str
    waba_id: str
    name: str
    language: str
    category: str
    status: str
    components: list[dict[str, Any]]
    parameter_format: str = "POSITIONAL"
    rejected_reason: str = "NONE"
    message_send_ttl_seconds: int | None = None
    quality: str = "GREEN"
    updated_at: float = 0.0
    spec: Any = None


@dataclass(slots=True)
class Waba:
    """A WhatsApp Business Account: owns templates and numbers; `subscribed` maps app ids to an override."""

    id: str
    name: str
    app_id: str
    subscribed: dict[str, str] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    by_name: dict[tuple[str, str], Template] = field(default_factory=dict)
    namespace: str = ""
    review_status: str = "APPROVED"

    def add(self, template: Template) -> None:
        """Put a template on the shelf."""
        self.templates[template.id] = template
        self.by_name[template.name, template.language] = template

    def remove(self, template: Template) -> None:
        """Take a template off the shelf."""
        self.templates.pop(template.id, None)
        self.by_name.pop((template.name, template.language), None)


@dataclass(slots=True)
class Number:
    """A business phone number; `overrides` maps app ids to a callback address of this number alone."""

    id: str
    phone: str
    waba_id: str
    verified_name: str
    token: str
    quality_rating: str = "GREEN"
    throughput_level: str = "STANDARD"
    rate: float | None = None
    status: str = "CONNECTED"
    name_status: str = "APPROVED"
    account_mode: str = "LIVE"
    is_on_biz_app: bool = False
    is_pin_enabled: bool = True
    allowed_recipients: set[str] = field(default_factory=set)
    overrides: dict[str, str] = field(default_factory=dict)
    seeded: int | None = None
    onboarded_at: float = 0.0

    @property
    def digits(self) -> str:
        """The number as callbacks write it."""
        return self.phone[1:]

    def messages_per_second(self) -> float:
        """The throughput this number has of its own."""
        if self.rate is not None:
            return self.rate
        if self.is_on_biz_app:
            return limits.RATE_ON_BIZ_APP
        return limits.RATE_OF_LEVEL.get(self.throughput_level, 80.0)


@dataclass(slots=True)
class Media:
    """An uploaded or received file; `keys` maps download keys to the time at which they expire."""

    id: str
    waba_id: str
    mime_type: str
    sha256: str
    content: bytes
    made_at: float
    lifetime: float
    file_name: str = ""
    keys: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class SentMessage:
    """An accepted send: one line of the ledger. The body is kept as it came, which costs least memory."""

    wamid: str
    phone_number_id: str
    to: str
    wa_id: str
    user_id: str
    type: str
    category: str
    ref: str
    raw: bytes
    accepted_at: float
    free: bool
    status: str = "accepted"
    error: int | None = None
    template_id: str = ""

    @property
    def body(self) -> dict[str, Any]:
        """The body of the send call."""
        return json.loads(self.raw)

    def as_dict(self) -> dict[str, Any]:
        """The line as the control API shows it."""
        return {
            "wamid": self.wamid,
            "phone_number_id": self.phone_number_id,
            "to": self.to,
            "wa_id": self.wa_id,
            "user_id": self.user_id,
            "type": self.type,
            "biz_opaque_callback_data": self.ref,
            "body": self.body,
            "accepted_at": self.accepted_at,
            "status": self.status,
            "error": self.error,
        }


@dataclass(slots=True)
class ReceivedMessage:
    """A message a customer wrote, in Meta's callback shape."""

    wamid: str
    phone_number_id: str
    wa_id: str
    message: dict[str, Any]
    at: float
    read: bool = False


@dataclass(slots=True)
class Contact:
    """A WhatsApp user as businesses see them."""

    wa_id: str
    user_id: str
    name: str
