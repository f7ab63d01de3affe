"""Reading and setting up business phone numbers: fields, webhook override, register and deregister."""

from collections.abc import Callable
from typing import Any

from ..errors import GraphError, missing
from ..graph import Call, chosen_fields, need_scope, route
from ..models import Number
from ..seed import BUSINESS_ID
from ..world import World

DEFAULT_FIELDS = (
    "verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type",
    "throughput", "webhook_configuration",
)  # fmt: skip
_REGISTRATIONS = 10
_REGISTRATION_SPAN = 72 * 3600.0


def formatted(digits: str) -> str:
    """The number as people write it: `+1 631-555-5555` in North America, elsewhere only a plus."""
    if digits.startswith("1") and len(digits) == 11:
        return f"+1 {digits[1:4]}-{digits[4:7]}-{digits[7:]}"
    return f"+{digits}"


def webhook_configuration(world: World, number: Number, app_id: str) -> dict[str, str]:
    """The three callback addresses; keys only where one is set."""
    waba = world.wabas[number.waba_id]
    found = {
        "phone_number": number.overrides.get(app_id, ""),
        "whatsapp_business_account": waba.subscribed.get(app_id, ""),
        "application": world.apps[app_id].callback_url,
    }
    return {name: url for name, url in found.items() if url}


def health(world: World, number: Number, app_id: str) -> dict[str, Any]:
    """Meta's view on whether this number can send, with the reasons when it cannot."""
    phone: dict[str, Any] = {"entity_type": "PHONE_NUMBER", "id": number.id, "can_send_message": "AVAILABLE"}
    if number.status != "CONNECTED":
        reason = {
            "error_code": 141000,
            "error_description": f"The phone number's status is {number.status}.",
            "possible_solution": "Register the number, or appeal in the WhatsApp manager.",
        }
        phone |= {"can_send_message": "BLOCKED", "errors": [reason]}
    elif number.name_status != "APPROVED":
        note = "Your display name has not been approved yet."
        phone |= {"can_send_message": "LIMITED", "additional_info": [note]}
    others = [("WABA", number.waba_id), ("BUSINESS", BUSINESS_ID), ("APP", app_id)]
    entities = [phone]
    entities += [{"entity_type": kind, "id": one, "can_send_message": "AVAILABLE"} for kind, one in others]
    return {"can_send_message": phone["can_send_message"], "entities": entities}


def fields_of(world: World, number: Number, app_id: str) -> dict[str, Callable[[], Any]]:
    """Every field of a phone number, each worked out only when asked for."""
    gone = number.status in ("PENDING", "UNVERIFIED")
    return {
        "id": lambda: number.id,
        "display_phone_number": lambda: formatted(number.digits),
        "verified_name": lambda: number.verified_name,
        "status": lambda: number.status,
        "quality_rating": lambda: number.quality_rating,
        "quality_score": lambda: {"score": number.quality_rating},
        "code_verification_status": lambda: "VERIFIED",
        "name_status": lambda: number.name_status,
        "new_name_status": lambda: "NONE",
        "platform_type": lambda: "NOT_APPLICABLE" if gone else "CLOUD_API",
        "throughput": lambda: {"level": "NOT_APPLICABLE" if gone else number.throughput_level},
        "account_mode": lambda: number.account_mode,
        "is_official_business_account": lambda: False,
        "is_pin_enabled": lambda: number.is_pin_enabled,
        "is_on_biz_app": lambda: number.is_on_biz_app,
        "messaging_limit_tier": lambda: "TIER_250",
        "whatsapp_business_manager_messaging_limit": lambda: "TIER_250",
        "webhook_configuration": lambda: webhook_configuration(world, number, app_id),
        "health_status": lambda: health(world, number, app_id),
        "last_onboarded_time": lambda: int(number.onboarded_at),
        "certificate": lambda: None,
        "country_dial_code": lambda: number.digits[:1],
    }


@route("GET", "number")
async def read(call: Call) -> Any:
    """`GET /{phone_number_id}?fields=`."""
    need_scope(call, "whatsapp_business_management")
    assert call.app is not None
    available = fields_of(call.world, call.node, call.app.app_id)
    return chosen_fields(call, available, DEFAULT_FIELDS, "WhatsAppBusinessPhoneNumber")


@route("POST", "number")
async def change(call: Call) -> Any:
    """Set or remove the number's own callback address; Meta asks it for the challenge first."""
    need_scope(call, "whatsapp_business_management")
    assert call.app is not None
    wanted = (await call.params()).get("webhook_configuration")
    if not isinstance(wanted, dict):
        raise missing("webhook_configuration")
    url = wanted.get("override_callback_uri")
    if not isinstance(url, str):
        raise missing("webhook_configuration['override_callback_uri']")
    number: Number = call.node
    if not url:
        number.overrides.pop(call.app.app_id, None)
        return {"success": True}
    await verify(call, url, str(wanted.get("verify_token", "")))
    number.overrides[call.app.app_id] = url
    return {"success": True}


async def verify(call: Call, url: str, verify_token: str) -> None:
    """Ask a callback address for the challenge; code 2200 unless it echoes it."""
    if len(url) > 200:
        raise GraphError(100, "The callback address must be at most 200 characters long.")
    if not await call.courier.verified(url, verify_token):
        raise GraphError(
            2200,
            message="(#2200) Callback verification failed with the following errors: the HTTP status code or "
            "the challenge is wrong; the callback URL could not be verified.",
            plain=True,
        )


def _count_attempt(call: Call) -> None:
    now = call.world.clock.now()
    attempts = [at for at in call.world.registrations.get(call.node.id, []) if at > now - _REGISTRATION_SPAN]
    if len(attempts) >= _REGISTRATIONS:
        raise GraphError(133016)
    call.world.registrations[call.node.id] = [*attempts, now]


@route("POST", "number", "register")
async def register(call: Call) -> Any:
    """Register the number for the Cloud API with a PIN of six digits."""
    given = await call.params()
    if given.get("messaging_product") != "whatsapp":
        raise GraphError(100, message="(#100) The parameter messaging_product is required.", plain=True)
    pin = str(given.get("pin", ""))
    if not (pin.isdigit() and len(pin) == 6):
        raise GraphError(100, "Param pin must be a string of 6 digits.")
    _count_attempt(call)
    call.node.status = "CONNECTED"
    return {"success": True}


@route("POST", "number", "deregister")
async def deregister(call: Call) -> Any:
    """Take the number off the Cloud API; sends are refused with 133010 until it is registered again."""
    _count_attempt(call)
    call.node.status = "PENDING"
    return {"success": True}
