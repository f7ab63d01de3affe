"""The buttons of a template: which need a value, and which component each value becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.errors import Refusal, invalid
from messaging.compose.approved import Approved, Button
from messaging.compose.drafts import BUTTON_MEMBERS, ButtonValue, FilledTemplate
from messaging.compose.values import value_problem

#: the member that belongs to a kind of button, and Meta's word for the button in a send call
_MEMBER = {
    "URL": "url_suffix",
    "OTP": "otp_code",
    "QUICK_REPLY": "quick_reply_payload",
    "COPY_CODE": "coupon_code",
}
#: members in the order in which they are looked for when the fitting one is not there


@dataclass(slots=True)
class Buttons:
    """The components of the buttons, and what is wrong with the values."""

    components: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, index: int, place: int, member: str, content: Any, kind: str) -> None:
        """Add a button's component, or refuse a text that WhatsApp would not take."""
        if member in ("url_suffix", "otp_code") and (problem := value_problem(content)):
            self.refusals.append(invalid(f"template.buttons[{place}].{member}", problem))
            return
        self.components.append(_written(index, member, content, kind))


def button_components(what: FilledTemplate, approved: Approved) -> Buttons:
    """Fill the buttons of an approved template; a value for a static one is ignored.

    That a value fits its button's kind is not checked: the page leaves that to Meta, and a kind that is
    new to us works without us.
    """
    made = Buttons()
    given = _by_index(what, made, count=len(approved.buttons))
    for index, button in enumerate(approved.buttons):
        if button.is_static:
            continue
        place, value = given.get(index, (index, None))
        member = _member_of(button, value)
        if value is None or member is None:
            if _needs(button):
                made.refusals.append(_missing(place, index, button))
            continue
        content = getattr(value, member)
        if button.kind == "SPM" and approved.header_format == "PRODUCT" and "product_retailer_id" in content:
            continue  # it became the header (composing_templates)
        made.add(index, place, member, content, button.kind)
    return made


def guessed_components(what: FilledTemplate) -> Buttons:
    """Fill the buttons of a template that is not known here: the members themselves tell the kinds."""
    made = Buttons()
    for index, (place, value) in sorted(_by_index(what, made, count=None).items()):
        member = next((one for one in BUTTON_MEMBERS if getattr(value, one)), None)
        if member is not None:
            content = getattr(value, member)
            made.add(index, place, member, content, _kind_of(member, content))
    return made


def _by_index(
    what: FilledTemplate, made: Buttons, *, count: int | None
) -> dict[int, tuple[int, ButtonValue]]:
    """Return the values by their button's index, each with its place in the request."""
    found: dict[int, tuple[int, ButtonValue]] = {}
    if count == 0:
        return found  # no buttons to fill: the values are ignored
    for place, value in enumerate(what.buttons):
        param = f"template.buttons[{place}].index"
        if count is not None and not 0 <= value.index < count:
            made.refusals.append(
                invalid(param, f"The template has {count} buttons; the index goes from 0 to {count - 1}.")
            )
        elif value.index in found:
            made.refusals.append(invalid(param, f"Index {value.index} is given twice."))
        else:
            found[value.index] = (place, value)
    return found


def _member_of(button: Button, value: ButtonValue | None) -> str | None:
    """Return the member that fills a button: the fitting one, its alias, else the first that is there."""
    fitting = _MEMBER.get(button.kind, "action")
    alias = {"url_suffix": "otp_code", "otp_code": "url_suffix"}.get(fitting, fitting)
    return next((one for one in (fitting, alias, *BUTTON_MEMBERS) if getattr(value, one, None)), None)


def _written(index: int, member: str, content: Any, kind: str) -> dict[str, Any]:
    if member in ("url_suffix", "otp_code"):
        sub_type, parameter = "url", {"type": "text", "text": content}
    elif member == "quick_reply_payload":
        sub_type, parameter = "quick_reply", {"type": "payload", "payload": content}
    elif member == "coupon_code":
        sub_type, parameter = "copy_code", {"type": "coupon_code", "coupon_code": content}
    else:
        sub_type, parameter = kind.lower(), {"type": "action", "action": content}
    return {"type": "button", "sub_type": sub_type, "index": str(index), "parameters": [parameter]}


def _needs(button: Button) -> bool:
    """Tell whether Meta, or the page, wants a value. A product's place is the header, so SPM needs none."""
    return button.kind in {*_MEMBER, "FLOW", "MPM", "CATALOG", "ORDER_DETAILS"}


def _missing(place: int, index: int, button: Button) -> Refusal:
    member = "otp_code" if button.is_code else _MEMBER.get(button.kind, "action")
    label = f' ("{button.text}")' if button.text else ""
    return Refusal(
        "template_button_value_missing",
        f"The button at index {index}{label} is of type {'OTP' if button.is_code else button.kind} "
        f"and needs {member}.",
        param=f"template.buttons[{place}].{member}",
    )


def _kind_of(member: str, content: Any) -> str:
    """Guess the kind of button that an action is for."""
    if member != "action":
        return ""
    for key, kind in (("sections", "MPM"), ("order_details", "ORDER_DETAILS"), ("flow_token", "FLOW")):
        if key in content:
            return kind
    return "FLOW" if "flow_action_data" in content else "CATALOG"
