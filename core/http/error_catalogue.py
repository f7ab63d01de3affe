"""Error catalogue of our two APIs: when each refusal is given, who acts, what to do."""

from __future__ import annotations

from dataclasses import dataclass

from core.http import classic as http_classic
from core.http import v1 as http_v1

_SAME_KEY = "Repeat the request with the same Idempotency-Key: nothing is done twice."

#: code → (when it is given, who acts, what to do)
_TOLD: dict[str, tuple[str, str, str]] = {
    "invalid_api_key": (
        "The Authorization header is missing, is not “Bearer” and a key, or holds something that is no key "
        "of this service. A single mistyped character is enough: keys carry a checksum.",
        "You",
        "Copy the key again, whole. If it is lost, revoke it and create a new one: it is shown only once.",
    ),
    "revoked_api_key": (
        "The key was revoked, which works at once and cannot be undone.",
        "You",
        "Create a new key and put it where the old one was.",
    ),
    "expired_api_key": (
        "The key had an expiry date, and it has passed.",
        "You",
        "Create a new key. Give it a later date, or none.",
    ),
    "account_deactivated": (
        "The account has been deactivated.",
        "The operator of this service",
        "Ask the operator why.",
    ),
    "insufficient_scope": (
        "The key is good but was not made for this. `required_scope` names what it lacks.",
        "You",
        "Use a key with that scope, or with *; the scopes of a key cannot be changed.",
    ),
    "agent_not_authorized": (
        "The agent does not exist in your organization, or the key is limited to other agents. A key that "
        "is limited to agents works under /v1 only.",
        "You",
        "List the agents that the key may use with GET /v1/agents, or create a key for this agent.",
    ),
    "plan_not_eligible": (
        "The plan does not include this: /v1 and its mk_ keys need the Professional plan or higher, bulk "
        "sending any paid plan.",
        "You, or who pays",
        "Upgrade. Keys are kept and work again at once.",
    ),
    "quota_exceeded": (
        "The messages of the plan are used up for this period. Nothing was stored or charged.",
        "You, or who pays",
        "Upgrade or add messages; otherwise wait for the next period.",
    ),
    "not_found": (
        "Nothing of yours is at this address or has this id.",
        "You",
        "Check the address against /openapi.json and the id against what you stored.",
    ),
    "endpoint_not_found": (
        "There is no such address under /v1, or it does not take this method (405; see its Allow header).",
        "You",
        "Check method and path against /v1/openapi.json. Addresses have no slash at the end.",
    ),
    "method_not_allowed": (
        "The address is right, the method is not. The Allow header lists those that are.",
        "You",
        "Use one of them.",
    ),
    "message_not_found": (
        "Your organization sent no message with this id through /v1, or the id is not a UUID. What was sent "
        "otherwise is not shown here.",
        "You",
        "Use the id of the 202 answer, with a key of the same organization.",
    ),
    "agent_not_found": (
        "No agent of your organization has this id.",
        "You",
        "List your agents with GET /v1/agents.",
    ),
    "template_not_found": (
        "No template of your organization has this id.",
        "You",
        "List your templates with GET /v1/whatsapp/templates.",
    ),
    "invalid_signature": (
        "A callback from Meta or an event from Stripe carries no signature, or one that does not fit its "
        "bytes and the secret that is stored here.",
        "Whoever set up the callback",
        "Compare the App Secret (or STRIPE_WEBHOOK_SECRET) with the one at the sender, and let nothing in "
        "between change the body.",
    ),
    "wrong_mode": (
        "An event of Stripe's test mode came to a live service, or the other way round.",
        "The operator of this service",
        "Point the webhook endpoint of that mode at the service that uses its keys.",
    ),
    "invalid_request": (
        "The request is malformed; `details` names every faulty field.",
        "You",
        "Correct the fields and send it again.",
    ),
    "invalid_request_body": (
        "The body is not a JSON object in UTF-8, or a field is missing or wrong; `param` names it.",
        "You",
        "Correct the field and send it again; the Idempotency-Key is still free.",
    ),
    "invalid_agent_id": (
        "`agent_id` is not a UUID.",
        "You",
        "Copy it from the API Keys page or from GET /v1/agents.",
    ),
    "invalid_phone_number": (
        "`to` is not a number in E.164 format: a plus, country code and number, 7 to 15 digits.",
        "You",
        "Write it like +15551234567. Spaces, brackets and leading zeros are not removed for you.",
    ),
    "invalid_from_phone": (
        "`from` is not a number in E.164 format: a plus, country code and number, 7 to 15 digits.",
        "You",
        "Write it like +15557654321, exactly as GET /v1/agents shows it.",
    ),
    "from_phone_not_found_for_agent": (
        "`from` is well formed but is no active WhatsApp number of this agent.",
        "You",
        "Use one of `available_phones`. If the list is empty, connect a number and verify it.",
    ),
    "invalid_template_name": (
        "`template.name` is missing or blank.",
        "You",
        "Give the name as WhatsApp Manager shows it.",
    ),
    "template_button_value_missing": (
        "The approved template has a button that needs a value, and none was given; `param` names the field.",
        "You",
        "Add an entry to `template.buttons` with the button's index, counted from 0 over all buttons.",
    ),
    "template_header_variable_missing": (
        "The template's text header has a placeholder, and `header_parameters` does not fill it.",
        "You",
        "Add it; header and body are filled separately, also when both use {{1}}.",
    ),
    "template_header_too_many_parameters": (
        "The template's header has more than one placeholder. Meta allows one.",
        "You, in WhatsApp Manager",
        "Change the template.",
    ),
    "template_header_kind_mismatch": (
        "`header_media_url` was given for a text header, or `header_parameters` for a media header.",
        "You",
        "Give the one that belongs to the header, or none.",
    ),
    "template_header_media_url_invalid": (
        "`header_media_url` is not a public HTTPS address.",
        "You",
        "Host the file where Meta can fetch it, and give its full https:// address.",
    ),
    "mixed_parameter_format": (
        "Numbered placeholders ({{1}}) and named ones ({{name}}) are mixed in the template or the values.",
        "You",
        "Use the style of the approved template for every value.",
    ),
    "template_refused_by_meta": (
        "Meta did not take the template, its change or its deletion; the message has Meta's own words.",
        "You",
        "Correct what Meta names. One that exists already in this language is edited, not made again.",
    ),
    "credentials_refused_by_meta": (
        "Meta refuses the number's access token, or it lacks whatsapp_business_management.",
        "You, in Meta Business settings",
        "Make a token of a system user with whatsapp_business_management and save it for the number.",
    ),
    "recipient_opted_out": (
        "The person asked not to be written to, so nothing was stored.",
        "The recipient",
        "Leave the person alone. Only if they ask for messages again, take the number off the list.",
    ),
    "conflict": (
        "What is there already forbids it; the message says what.",
        "You",
        "Look at the present state, then decide.",
    ),
    "idempotency_mismatch": (
        "This Idempotency-Key was used with another request in the last 24 hours.",
        "You",
        "Use a new key for a new request. To repeat a request, repeat it exactly.",
    ),
    "idempotency_in_progress": (
        "The first request with this Idempotency-Key is still being worked on.",
        "Nobody",
        "Wait Retry-After seconds and ask again with the same key.",
    ),
    "not_acceptable": ("The Accept header excludes application/json.", "You", "Accept application/json."),
    "body_too_large": ("The body is larger than this address takes.", "You", "Send less at once."),
    "unsupported_media_type": (
        "The body is not announced as JSON in UTF-8.",
        "You",
        "Send Content-Type: application/json, without another charset and without Content-Encoding.",
    ),
    "rate_limit_exceeded": (
        "The account, or the key, has used up its requests for this minute. Nothing was stored or charged.",
        "You, in a moment",
        "Wait Retry-After seconds, then repeat with the same Idempotency-Key. Look up many messages at once "
        "with POST /v1/whatsapp/messages/lookup.",
    ),
    "internal_error": (
        "Something went wrong on our side.",
        "The operator of this service, if it stays",
        f"{_SAME_KEY} Wait longer each time; report the correlation id if it does not pass.",
    ),
    "upstream_unavailable": (
        "The database or WhatsApp could not be reached, or WhatsApp has been failing for this number "
        "(under /v1 messages are taken then and wait).",
        "Nobody, at first",
        f"{_SAME_KEY} Wait Retry-After seconds before.",
    ),
}
_TOLD["idempotency_key_in_use_with_different_params"] = _TOLD["idempotency_mismatch"]
_TOLD["idempotency_key_in_progress"] = _TOLD["idempotency_in_progress"]


@dataclass(frozen=True, slots=True)
class ApiError:
    """One code of our APIs. ``v1`` and ``classic`` are the HTTP statuses it has there, None: not used."""

    code: str
    v1: int | None
    classic: int | None
    tells: str
    who: str
    what: str

    @property
    def statuses(self) -> str:
        """Say which HTTP statuses it comes with."""
        if self.v1 == self.classic or self.classic is None or self.v1 is None:
            return str(self.v1 or self.classic)
        return f"{self.v1} under /v1, {self.classic} elsewhere"


#: what only those meet who call us back
RECEIVERS = {"invalid_signature": 401, "wrong_mode": 400}


def _every() -> dict[str, ApiError]:
    v1: dict[str, int] = {}
    for word in http_v1.CATALOGUE.values():
        v1.setdefault(word.code, word.status)
    classic = http_classic.STATUS | RECEIVERS
    codes = sorted({*v1, *classic}, key=lambda code: (v1.get(code) or classic[code], code))
    return {code: ApiError(code, v1.get(code), classic.get(code), *_TOLD[code]) for code in codes}


#: every code, by status
API_ERRORS = _every()
