"""The message templates every account starts with: one of each kind a gateway has to cope with."""

from typing import Any

_PREVIEW = "https://scontent.whatsapp.net/v/t61.29466-34/sample"


def _header(text: str, example: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"type": "HEADER", "format": "TEXT", "text": text}
    return made | {"example": {"header_text": [example]}} if example else made


def _media_header(kind: str) -> dict[str, Any]:
    return {"type": "HEADER", "format": kind, "example": {"header_handle": [f"{_PREVIEW}.{kind.lower()}"]}}


def _body(text: str, *examples: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "BODY", "text": text}
    return made | {"example": {"body_text": [list(examples)]}} if examples else made


def _footer(text: str) -> dict[str, Any]:
    return {"type": "FOOTER", "text": text}


def _buttons(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"type": "BUTTONS", "buttons": list(buttons)}


def _quick(text: str) -> dict[str, Any]:
    return {"type": "QUICK_REPLY", "text": text}


def _url(text: str, url: str, example: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"type": "URL", "text": text, "url": url}
    return made | {"example": [url.replace("{{1}}", example)]} if example else made


_OTP_URL = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code_expiration_minutes=10&code=otp{{1}}"


def otp_button(text: str = "Copy code", url: str = _OTP_URL) -> dict[str, Any]:
    """An OTP button as reading returns it: Meta turns it into a URL button."""
    return _url(text, url, "123456")


def _card(product: str) -> dict[str, Any]:
    return {
        "components": [
            _media_header("IMAGE"),
            _body("The {{1}} grows in any window.", product),
            _buttons(_quick("More like this"), _url("Buy", "https://example.com/plants/{{1}}", product)),
        ]
    }


def _made(
    name: str, category: str, components: list[dict[str, Any]], status: str = "APPROVED", **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "language": "en_US",
        "category": category,
        "status": status,
        "parameter_format": "POSITIONAL",
        "components": components,
        **more,
    }


TEMPLATES: tuple[dict[str, Any], ...] = (
    _made(
        "hello_world",
        "UTILITY",
        [
            _header("Hello World"),
            _body(
                "Welcome and congratulations!! This message demonstrates your ability to send a WhatsApp "
                "message notification from the Cloud API, hosted by Meta. Thank you for taking the time to "
                "test with us."
            ),
            _footer("WhatsApp Business Platform sample message"),
        ],
    ),
    _made("order_ready", "UTILITY", [_body("Hi {{1}}, your order {{2}} is ready!", "Pablo", "860198")]),
    _made(
        "login_code",
        "AUTHENTICATION",
        [
            _body("*{{1}}* is your verification code. For your security, do not share this code.", "123456")
            | {"add_security_recommendation": True},
            _footer("This code expires in 10 minutes.") | {"code_expiration_minutes": 10},
            _buttons(otp_button()),
        ],
        message_send_ttl_seconds=600,
    ),
    _made(
        "order_confirmation",
        "UTILITY",
        [
            {
                "type": "BODY",
                "text": "Thank you, {{first_name}}! Your order number is {{order_number}}.",
                "example": {
                    "body_text_named_params": [
                        {"param_name": "first_name", "example": "Pablo"},
                        {"param_name": "order_number", "example": "860198-230332"},
                    ]
                },
            }
        ],
        parameter_format="NAMED",
    ),
    _made(
        "summer_sale",
        "MARKETING",
        [
            _header("Our {{1}} is on!", "Summer Sale"),
            _body(
                "Shop now through {{1}} and use code {{2}} to get {{3}} off.",
                "the end of August",
                "25OFF",
                "25%",
            ),
            _footer("Tap the button below to stop these messages."),
            _buttons(
                _quick("Stop promotions"),
                _url("Shop now", "https://example.com/sale?promo={{1}}", "summer"),
                {"type": "COPY_CODE", "text": "Copy offer code", "example": ["25OFF"]},
            ),
        ],
    ),
    _made(
        "invoice_document",
        "UTILITY",
        [_media_header("DOCUMENT"), _body("Dear {{1}}, please find your invoice attached.", "Pablo")],
    ),
    _made(
        "product_photo",
        "MARKETING",
        [
            _media_header("IMAGE"),
            _body("New in our shop: {{1}}.", "a blue vase"),
            _buttons(_quick("Tell me more")),
        ],
    ),
    _made("video_greeting", "MARKETING", [_media_header("VIDEO"), _body("A short film from our workshop.")]),
    _made(
        "meeting_point",
        "UTILITY",
        [{"type": "HEADER", "format": "LOCATION"}, _body("We meet here at {{1}} sharp.", "noon")],
    ),
    _made(
        "signup_flow",
        "MARKETING",
        [
            _body("Join our club in two minutes."),
            _buttons(
                {
                    "type": "FLOW",
                    "text": "Sign up",
                    "flow_id": "1234567890",
                    "flow_action": "NAVIGATE",
                    "navigate_screen": "FIRST",
                }
            ),
        ],
    ),
    _made(
        "limited_offer",
        "MARKETING",
        [
            _media_header("IMAGE"),
            {
                "type": "LIMITED_TIME_OFFER",
                "limited_time_offer": {"text": "Expiring offer!", "has_expiration": True},
            },
            _body("Good news, {{1}}! Your code {{2}} ends soon.", "Pablo", "25OFF"),
            _buttons(
                {"type": "COPY_CODE", "text": "Copy offer code", "example": ["25OFF"]},
                _url("Use it", "https://example.com/offers?code={{1}}", "25OFF"),
            ),
        ],
    ),
    _made(
        "plant_carousel",
        "MARKETING",
        [
            _body("Rare plants for {{1}}!", "you"),
            {"type": "CAROUSEL", "cards": [_card("blue elf aloe"), _card("buddha cactus")]},
        ],
    ),
    _made("paused_offer", "MARKETING", [_body("An offer nobody liked.")], status="PAUSED"),
    _made(
        "rejected_promo",
        "MARKETING",
        [_body("Get rich quickly with our shop.")],
        status="REJECTED",
        rejected_reason="SCAM",
    ),
    _made(
        "pending_notice",
        "UTILITY",
        [_body("Your parcel waits at {{1}} until noon.", "the shop")],
        status="PENDING",
    ),
    _made(
        "disabled_notice", "MARKETING", [_body("A message that was reported too often.")], status="DISABLED"
    ),
)
