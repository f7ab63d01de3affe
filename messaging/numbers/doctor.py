"""The connection doctor: everything that keeps a number from sending or hearing, line by line, and its cure.

``numbers.verify`` decides whether a number may send; the doctor looks further (what kind of token, the
registration, the quality, whether Meta knows our callback address) and mends what Meta's API lets an
app mend by itself: the subscription and the number's own callback address.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from accounts.connections import callback_url
from accounts.models import Number
from messaging.meta.graph import Graph, GraphError, GraphUnreachable
from messaging.numbers import verification
from messaging.numbers.verification import Check, Diagnosis

#: lines that no button of ours can mend are told, but do not keep a number from being used
QUALITY = {
    "GREEN": (True, "Meta rates this number’s quality as high.", None),
    "YELLOW": (
        None,
        "Meta rates this number’s quality as medium: people block or report some of its messages.",
        "Send less marketing for a few days, and only to people who asked for it.",
    ),
    "RED": (
        False,
        "Meta rates this number’s quality as low; it may soon be limited.",
        "Stop marketing from this number until the rating recovers. It looks at the last seven days.",
    ),
}
#: what programs are told of a number whose callbacks nobody could tell from forged ones
UNPROVEN = (
    "No App Secret is known for this number, so Meta’s delivery reports and people’s answers are refused "
    "and messages stay at sent. Save whatsappAppSecret with PUT /auth/me/credentials."
)
#: a token that ends sooner than this is reported as about to end
SOON_DAYS = 14


@dataclass(frozen=True, slots=True)
class Repair:
    """What was tried, and whether Meta confirmed it."""

    mended: bool
    message: str


def warnings(number: Number | None) -> list[str]:
    """Return what a caller should know who saves, checks or uses a number, and nobody else will tell him."""
    if number is None or number.app_secret_sealed or settings.META_APP_SECRET:
        return []
    return [UNPROVEN]


def examine(number: Number) -> Diagnosis:
    """Look at everything and store the lines with the number (``Number.checks``).

    Raises ``vault.CannotOpen`` when the saved token cannot be opened any more. What Meta answers is never
    raised: each refusal is a line.
    """
    verified = verification.verify(number)
    checks = list(verified.checks)
    with verification.graph_for(number) as graph:
        if checks[0].ok is not None:
            checks[1:1] = _token_lines(graph)
        if any(line.check == "phone_number" and line.ok is not None for line in checks):
            checks += _number_lines(graph, number)
    checks.append(_secret_line(number))
    updated = Number.objects.filter(pk=number.pk, access_token_sealed=number.access_token_sealed)
    if updated.update(checks=[asdict(line) for line in checks]):
        number.checks = [asdict(line) for line in checks]
    return Diagnosis(verified.verified, checks)


def repair(number: Number) -> Repair:
    """Subscribe the token's app and give Meta the number's callback address, where its API lets us.

    Subscribing is asked first: Meta refuses an address of an app that is not subscribed.
    """
    if not number.waba_id:
        return Repair(False, "Save the WhatsApp Business Account id first; Meta subscribes apps by account.")
    try:
        with verification.graph_for(number) as graph:
            graph.subscribe_app(number.waba_id)
            graph.set_callback(
                number.phone_number_id, url=callback_url(number), verify_token=number.verify_token
            )
    except GraphError as error:
        return Repair(False, error.meta.tells)
    except (GraphUnreachable, ValueError) as error:
        return Repair(False, f"Meta could not be asked: {error}.")
    return Repair(True, "Meta subscribed your app and now reports to the address of this number.")


def _token_lines(graph: Graph) -> list[Check]:
    try:
        token = graph.debug_token()
    except (GraphError, GraphUnreachable):
        return []  # numbers.verify has said so
    if not token.get("is_valid"):
        return []
    lines = []
    kind = str(token.get("type") or "")
    if kind == "USER":
        lines.append(
            Check(
                "token_kind",
                None,
                "This is a token of a person. It ends within 60 days at most, or when they leave.",
                "In Meta Business settings make a system user, assign your app and the WhatsApp account to "
                "it, and create its token with “never expires”.",
            )
        )
    elif kind:
        lines.append(Check("token_kind", True, "The token belongs to a system user."))
    lines.append(_expiry_line(token))
    missing = [one for one in ("whatsapp_business_management",) if one not in (token.get("scopes") or [])]
    lines.append(
        Check(
            "scopes",
            None,
            f"The token lacks {missing[0]}: templates and subscriptions cannot be read.",
            "Create the token again with whatsapp_business_messaging and whatsapp_business_management.",
        )
        if missing
        else Check("scopes", True, "The token has both permissions: messaging and management.")
    )
    return lines


def _expiry_line(token: dict[str, Any]) -> Check:
    ends = token.get("expires_at") or 0
    if not isinstance(ends, int) or ends <= 0:
        return Check("token_expiry", True, "The token never expires.")
    at = datetime.fromtimestamp(min(ends, 253_402_300_799), tz=UTC)
    days = (at - datetime.now(UTC)).days
    fix = "Create a token that never expires for a system user and save it here before that day."
    said = f"The token expires on {at:%Y-%m-%d}, in {max(days, 0)} days."
    return Check("token_expiry", None if days > SOON_DAYS else False, said, fix)


def _number_lines(graph: Graph, number: Number) -> list[Check]:
    lines = []
    try:
        facts = graph.phone_number(number.phone_number_id)
        health = graph.health(number.phone_number_id)
    except (GraphError, GraphUnreachable, ValueError):
        return []
    platform = facts.get("platform_type")
    if platform not in (None, "CLOUD_API"):
        lines.append(
            Check(
                "registration",
                False,
                "The number is not registered for the Cloud API.",
                "Open WhatsApp > API Setup in your Meta app, choose the number and register it with its PIN.",
            )
        )
    else:
        lines.append(Check("registration", True, "The number is registered for the Cloud API."))
    rating = QUALITY.get(str(facts.get("quality_rating")))
    if rating:
        lines.append(Check("quality", *rating))
    else:
        lines.append(Check("quality", None, "Meta has not rated this number’s quality yet."))
    lines += _health_lines(health)
    configured = facts.get("webhook_configuration")
    lines.append(_callback_line(configured if isinstance(configured, dict) else {}, number))
    return lines


def _health_lines(health: dict[str, Any]) -> list[Check]:
    lines = []
    for entity in health.get("entities") or []:
        if not isinstance(entity, dict) or entity.get("can_send_message") in (None, "AVAILABLE"):
            continue
        blocked = entity.get("can_send_message") == "BLOCKED"
        errors = [one for one in entity.get("errors") or [] if isinstance(one, dict)]
        said = [str(one.get("error_description") or "") for one in errors]
        said += [str(one) for one in entity.get("additional_info") or []]
        cures = " ".join(str(one.get("possible_solution") or "") for one in errors).strip()
        what = str(entity.get("entity_type") or "").replace("_", " ").lower()
        reason = " ".join(part for part in said if part) or "Meta gives no reason."
        lines.append(
            Check(
                "health",
                False if blocked else None,
                f"Meta {'blocks' if blocked else 'limits'} sending ({what}): {reason}"[:500],
                cures[:500] or "Open WhatsApp Manager and follow what it asks for.",
            )
        )
    return lines or [Check("health", True, "Meta reports nothing that keeps this number from sending.")]


def _callback_line(configured: dict[str, Any], number: Number) -> Check:
    used = next(
        (
            str(configured[name])
            for name in ("phone_number", "whatsapp_business_account", "application")
            if configured.get(name)
        ),
        "",
    )
    if used == callback_url(number):
        return Check("callback", True, "Meta reports to the address of this number.")
    if used == callback_url():
        return Check("callback", True, "Meta reports to this service’s common address.")
    if not used:
        return Check(
            "callback",
            False,
            "Meta has no callback address, so delivery reports and answers go nowhere.",
            "Let us set it, or paste the callback URL and the verify token into your Meta app.",
        )
    return Check(
        "callback",
        False,
        "Meta reports to another system, so its delivery reports do not reach us.",
        "Let us set the address for this number alone; the other system keeps your other numbers.",
    )


def _secret_line(number: Number) -> Check:
    if not warnings(number):
        return Check("app_secret", True, "Reports from Meta can be checked for their signature.")
    return Check(
        "app_secret",
        False,
        "Without the App Secret we cannot tell Meta’s reports from forged ones, so we refuse them.",
        "Copy the App Secret from your Meta app (App settings > Basic) and save it with the credentials.",
    )
