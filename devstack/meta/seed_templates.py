"""The message templates every account starts with: one of each kind a gateway has to cope with."""

from typing import Any

_PREVIEW = "https://scontent.whatsapp.net/v/t61.29466-34/sample"


def header(text: str, example: str = "") -> dict[str, Any]:
    """A text header, with the example that its variable needs."""
    made: dict[str, Any] = {"type": "HEADER", "format": "TEXT", "text": text}
    return made | {"example": {"header_text": [example]}} if example else made


def media_header(kind: str) -> dict[str, Any]:
    """A header that shows a file."""
    return {"type": "HEADER", "format": kind, "example": {"header_handle": [f"{_PREVIEW}.{kind.lower()}"]}}


def body(text: str, *examples: str) -> dict[str, Any]:
    """The body, with an example for each variable."""
    made: dict[str, Any] = {"type": "BODY", "text": text}
    return made | {"example": {"body_text": [list(examples)]}} if examples else made


def footer(text: str) -> dict[str, Any]:
    """The small print."""
    return {"type": "FOOTER", "text": text}


def buttons(*buttons: dict[str, Any]) -> dict[str, Any]:
    """The component that holds the buttons."""
    return {"type": "BUTTONS", "buttons": list(buttons)}


def quick(text: str) -> dict[str, Any]:
    """A quick reply."""
    return {"type": "QUICK_REPLY", "text": text}


def link(text: str, url: str, example: str = "") -> dict[str, Any]:
    """A link; with an example its end varies."""
    made: dict[str, Any] = {"type": "URL", "text": text, "url": url}
    return made | {"example": [url.replace("{{1}}", example)]} if example else made


_OTP_URL = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code_expiration_minutes=10&code=otp{{1}}"


def otp_button(text: str = "Copy code", url: str = _OTP_URL) -> dict[str, Any]:
    """An OTP button as reading returns it: Meta turns it into a URL button."""
    return link(text, url, "123456")


def _card(product: str) -> dict[str, Any]:
    return {
        "components": [
            media_header("IMAGE"),
            body("The {{1}} grows in any window.", product),
            buttons(quick("More like this"), link("Buy", "https://example.com/plants/{{1}}", product)),
        ]
    }


def a_template(
    name: str, category: str, components: list[dict[str, Any]], status: str = "APPROVED", **more: Any
) -> dict[str, Any]:
    """A template in English as `Template` wants it; `more` overrides."""
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
    a_template(
        "hello_world",
        "UTILITY",
        [
            header("Hello World"),
            body(
                "Welcome and congratulations!! This message demonstrates your ability to send a WhatsApp "
                "message notification from the Cloud API, hosted by Meta. Thank you for taking the time to "
                "test with us."
            ),
            footer("WhatsApp Business Platform sample message"),
        ],
    ),
    a_template("order_ready", "UTILITY", [body("Hi {{1}}, your order {{2}} is ready!", "Pablo", "860198")]),
    a_template(
        "login_code",
        "AUTHENTICATION",
        [
            body("*{{1}}* is your verification code. For your security, do not share this code.", "123456")
            | {"add_security_recommendation": True},
            footer("This code expires in 10 minutes.") | {"code_expiration_minutes": 10},
            buttons(otp_button()),
        ],
        message_send_ttl_seconds=600,
    ),
    a_template(
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
    a_template(
        "summer_sale",
        "MARKETING",
        [
            header("Our {{1}} is on!", "Summer Sale"),
            body(
                "Shop now through {{1}} and use code {{2}} to get {{3}} off.",
                "the end of August",
                "25OFF",
                "25%",
            ),
            footer("Tap the button below to stop these messages."),
            buttons(
                quick("Stop promotions"),
                link("Shop now", "https://example.com/sale?promo={{1}}", "summer"),
                {"type": "COPY_CODE", "text": "Copy offer code", "example": ["25OFF"]},
            ),
        ],
    ),
    a_template(
        "invoice_document",
        "UTILITY",
        [media_header("DOCUMENT"), body("Dear {{1}}, please find your invoice attached.", "Pablo")],
    ),
    a_template(
        "product_photo",
        "MARKETING",
        [
            media_header("IMAGE"),
            body("New in our shop: {{1}}.", "a blue vase"),
            buttons(quick("Tell me more")),
        ],
    ),
    a_template(
        "video_greeting", "MARKETING", [media_header("VIDEO"), body("A short film from our workshop.")]
    ),
    a_template(
        "meeting_point",
        "UTILITY",
        [{"type": "HEADER", "format": "LOCATION"}, body("We meet here at {{1}} sharp.", "noon")],
    ),
    a_template(
        "signup_flow",
        "MARKETING",
        [
            body("Join our club in two minutes."),
            buttons(
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
    a_template(
        "limited_offer",
        "MARKETING",
        [
            media_header("IMAGE"),
            {
                "type": "LIMITED_TIME_OFFER",
                "limited_time_offer": {"text": "Expiring offer!", "has_expiration": True},
            },
            body("Good news, {{1}}! Your code {{2}} ends soon.", "Pablo", "25OFF"),
            buttons(
                {"type": "COPY_CODE", "text": "Copy offer code", "example": ["25OFF"]},
                link("Use it", "https://example.com/offers?code={{1}}", "25OFF"),
            ),
        ],
    ),
    a_template(
        "plant_carousel",
        "MARKETING",
        [
            body("Rare plants for {{1}}!", "you"),
            {"type": "CAROUSEL", "cards": [_card("blue elf aloe"), _card("buddha cactus")]},
        ],
    ),
    a_template("paused_offer", "MARKETING", [body("An offer nobody liked.")], status="PAUSED"),
    a_template(
        "rejected_promo",
        "MARKETING",
        [body("Get rich quickly with our shop.")],
        status="REJECTED",
        rejected_reason="SCAM",
    ),
    a_template(
        "pending_notice",
        "UTILITY",
        [body("Your parcel waits at {{1}} until noon.", "the shop")],
        status="PENDING",
    ),
    a_template(
        "disabled_notice", "MARKETING", [body("A message that was reported too often.")], status="DISABLED"
    ),
)
