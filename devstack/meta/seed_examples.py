"""The templates that the documents' examples send, and the kinds of button that shops use."""

from typing import Any

from .seed_templates import a_template, body, buttons, footer, link, media_header, otp_button, quick

_ONE_TAP = (
    "https://www.whatsapp.com/otp/code/?otp_type=ONE_TAP&package_name=com.example.shop"
    "&signature_hash=K8a%2FAINcGX7&code_expiration_minutes=5&code=otp{{1}}"
)


def _named(kind: str, text: str, **examples: str) -> dict[str, Any]:
    listed = [{"param_name": name, "example": example} for name, example in examples.items()]
    word = "header_text" if kind == "HEADER" else "body_text"
    made: dict[str, Any] = {"type": kind, "text": text, "example": {f"{word}_named_params": listed}}
    return made | {"format": "TEXT"} if kind == "HEADER" else made


def _english(name: str, category: str, *components: dict[str, Any], **more: Any) -> dict[str, Any]:
    return a_template(name, category, list(components), language="en", **more)


EXAMPLES: tuple[dict[str, Any], ...] = (
    a_template("arabic_signup_message", "UTILITY", [body("شكراً لتسجيلك معنا!")], language="ar"),
    _english(
        "order_shipped",
        "UTILITY",
        _named(
            "BODY",
            "Hello {{customer_name}}, your order is on the way: {{tracking_url}}.",
            customer_name="Sara",
            tracking_url="https://example.com/track/A123",
        ),
        parameter_format="NAMED",
    ),
    _english(
        "promo_with_header",
        "MARKETING",
        _named("HEADER", "Hello {{promo_label}}", promo_label="Summer Sale"),
        _named(
            "BODY",
            "Dear {{customer_name}}, take {{discount_pct}} percent off today.",
            customer_name="Sara",
            discount_pct="30",
        ),
        parameter_format="NAMED",
    ),
    _english(
        "otp_verification_v1",
        "AUTHENTICATION",
        body("*{{1}}* is your verification code.", "493281") | {"add_security_recommendation": False},
        footer("This code expires in 5 minutes.") | {"code_expiration_minutes": 5},
        buttons(otp_button("Autofill", _ONE_TAP)),
    ),
    _english(
        "order_shipped_with_photo",
        "UTILITY",
        media_header("IMAGE"),
        _named("BODY", "Your parcel {{tracking_no}} has left us.", tracking_no="EG-A12345"),
        parameter_format="NAMED",
    ),
    _english(
        "order_link",
        "UTILITY",
        body("Your order is ready."),
        buttons(link("See it", "https://shop.example.com/{{1}}", "orders/12345")),
    ),
    _english(
        "ask_for_feedback",
        "MARKETING",
        body("How did you like it?"),
        buttons(quick("Very much"), quick("Not at all")),
    ),
    _english(
        "spring_coupon",
        "MARKETING",
        body("Spring is here, and so is your coupon."),
        buttons({"type": "COPY_CODE", "text": "Copy offer code", "example": ["SPRING30"]}),
    ),
    _english(
        "shop_catalog",
        "MARKETING",
        body("Have a look at what is new."),
        buttons({"type": "CATALOG", "text": "View catalog"}),
    ),
    _english(
        "shop_favourites",
        "MARKETING",
        {"type": "HEADER", "format": "TEXT", "text": "Our favourites"},
        body("These go well together."),
        buttons({"type": "MPM", "text": "View items"}),
    ),
    _english(
        "shop_one_product",
        "MARKETING",
        {"type": "HEADER", "format": "PRODUCT"},
        body("This one is back."),
        buttons({"type": "SPM", "text": "View"}),
    ),
    _english(
        "pay_order",
        "UTILITY",
        body("Your order waits for its payment."),
        buttons({"type": "ORDER_DETAILS", "text": "Review and Pay"}),
    ),
)
