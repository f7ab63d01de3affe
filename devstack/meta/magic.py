"""Recipients with a fate: what happens to a message is told by the last four digits of its number."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fate:
    """What the sandbox does with a message to a number that ends with `digits`.

    `refuse` answers with that error code; `fault` breaks the HTTP exchange (names as in the options);
    `first_only` does either on the first try alone, a try being known by its `biz_opaque_callback_data` or,
    without one, by its body. `steps` are the statuses that follow, `failure` the code of a `failed` one.
    """

    digits: str
    says: str
    refuse: int | None = None
    fault: str = ""
    first_only: bool = False
    steps: tuple[str, ...] = ("sent", "delivered", "read")
    failure: int | None = None
    reverse: bool = False
    before_answer: bool = False
    copies: int = 1
    other_wa_id: bool = False
    hides_phone: bool = False


def _fails(digits: str, code: int, says: str) -> Fate:
    return Fate(digits, f"accepted, then failed with {code}: {says}", steps=("failed",), failure=code)


TABLE: tuple[Fate, ...] = (
    _fails("0001", 131026, "the user is not on WhatsApp"),
    _fails("0002", 131047, "the 24-hour window is closed, even for a template"),
    _fails("0003", 131049, "Meta withholds it to keep the ecosystem healthy"),
    _fails("0004", 131050, "the user stopped marketing messages"),
    _fails("0005", 131053, "the media could not be fetched"),
    _fails("0006", 130472, "the user is part of an experiment"),
    _fails("0007", 131042, "the account has a payment problem"),
    Fate("0010", "refused with 131056: pair limit reached", refuse=131056),
    Fate("0011", "first try refused with 130429 (HTTP 429), next accepted", refuse=130429, first_only=True),
    Fate("0012", "first try answered HTTP 500 with code 2, next accepted", refuse=2, first_only=True),
    Fate("0013", "first try answered HTTP 503 in HTML, next accepted", fault="html_503", first_only=True),
    Fate("0014", "accepted and called back, but never answered", fault="hang_after"),
    Fate("0015", "accepted, answered after 5 seconds", fault="slow"),
    Fate("0016", "accepted, then the connection is reset without an answer", fault="reset_after"),
    Fate("0017", "refused with 190: the access token is not valid", refuse=190),
    Fate("0018", "refused with 131030: not on the list of allowed recipients", refuse=131030),
    Fate("0019", "refused with 368: the account is blocked for a policy violation", refuse=368),
    Fate("0020", "sent and read, without delivered", steps=("sent", "read")),
    Fate("0021", "stays sent for ever", steps=("sent",)),
    Fate("0022", "the wa_id differs from the number that was given, as in Brazil", other_wa_id=True),
    Fate("0023", "callbacks carry the user id only, no phone number", hides_phone=True),
    Fate(
        "0024",
        "delivered, then failed with 131000 (two devices disagree)",
        steps=("sent", "delivered", "failed"),
        failure=131000,
    ),
    Fate("0025", "callbacks come in reverse order", reverse=True),
    Fate("0026", "the sent callback arrives before the HTTP answer", before_answer=True),
    Fate("0027", "each callback comes three times", copies=3),
    Fate("0028", "accepted, but answered HTTP 500: the outcome is unknown", fault="error_500_after"),
    Fate("0029", "the connection is reset before anything is accepted", fault="reset_before"),
)
NORMAL = Fate("", "sent, delivered, read")

NOTES: tuple[str, ...] = (
    "Every other number is an ordinary customer: sent, delivered, read.",
    "Free text reaches a customer only within 24 hours of their last message; later it is accepted and "
    "then fails with 131047. Write something as the customer on this page and the window is open.",
    "A new template is approved after a moment; one whose name ends with _rejected is rejected.",
)

_BY_DIGITS = {fate.digits: fate for fate in TABLE}


def fate_of(digits: str) -> Fate:
    """The fate of a number, given in digits; an ordinary one unless its last four are in the table."""
    return _BY_DIGITS.get(digits[-4:], NORMAL)


def other_wa_id(digits: str) -> str:
    """The canonical number of somebody whose national writing differs from WhatsApp's, three ways of it."""
    if digits.startswith("55") and len(digits) == 13:
        return digits[:4] + digits[5:]
    if digits.startswith("52"):
        return "521" + digits[2:]
    return digits[:2] + "9" + digits[2:]


def as_rows() -> list[dict[str, Any]]:
    """The table as the page and `GET /_sandbox/magic` show it."""
    return [asdict(fate) for fate in TABLE]
