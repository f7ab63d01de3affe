"""Linter: what Meta would refuse of a template and its values, said before anything is sent (pure).

A send checks only what the documents promise; here everything is looked at that is known of Meta's rules,
and every fault of every row is named, not just the first.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.errors import Refusal
from messaging.compose.approved import MEDIA, Approved, Button, filled
from messaging.compose.drafts import BUTTON_MEMBERS, ButtonValue, FilledTemplate
from messaging.compose.template import filling_of
from messaging.message_templates.previews import Preview, preview

#: Meta's limits of a filled template, in characters
HEADER_LONGEST, BODY_LONGEST, LINK_LONGEST = 60, 1024, 2000
PAYLOAD_LONGEST, CODE_LONGEST = 256, 15
#: promised are 15 characters of a coupon; Meta takes 20 since December 2025
COUPON_SURE, COUPON_LONGEST = 15, 20

_MEMBERS = {
    "URL": ("url_suffix", "otp_code"),
    "OTP": ("otp_code", "url_suffix"),
    "QUICK_REPLY": ("quick_reply_payload",),
    "COPY_CODE": ("coupon_code",),
}
_ENDINGS = {
    "IMAGE": (".jpg", ".jpeg", ".png"),
    "VIDEO": (".mp4", ".3gp"),
    "DOCUMENT": (".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".txt"),
}
_STATES = {
    "PENDING": (132001, "is still being reviewed by Meta"),
    "REJECTED": (132001, "was rejected by Meta"),
    "PAUSED": (132015, "is paused by Meta because of its quality"),
    "DISABLED": (132016, "was disabled by Meta because of its quality"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (``error``: the send would fail) or looks wrong (``warning``).

    ``code`` is the one that a send is refused with where there is one; ``meta_code`` what Meta would answer.
    """

    severity: str
    code: str
    param: str
    message: str
    meta_code: int | None = None

    @property
    def is_error(self) -> bool:
        """Tell whether a send would fail."""
        return self.severity == "error"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one row of values."""

    findings: tuple[Finding, ...]
    preview: Preview | None

    @property
    def is_valid(self) -> bool:
        """Tell whether a send of it would get past Meta's checks."""
        return not any(finding.is_error for finding in self.findings)


def lint_rows(
    parts: Approved, rows: Sequence[FilledTemplate], *, is_authentication: bool = False
) -> list[Row]:
    """Check each row of values against a template and render it."""
    return [
        Row(tuple(findings(parts, row, is_authentication=is_authentication)), preview(parts, row))
        for row in rows
    ]


def as_finding(refusal: Refusal) -> Finding:
    """Write a refusal as a finding."""
    if refusal.fields:
        return Finding("error", refusal.code, refusal.fields[0].field, refusal.fields[0].message)
    return Finding("error", refusal.code, str(refusal.extra.get("param") or ""), refusal.message)


def state_findings(status: str, rejected_reason: str = "", correct_category: str = "") -> list[Finding]:
    """Say what stands against sending a template at all."""
    found = []
    if status != "APPROVED":
        meta_code, words = _STATES.get(status, (132001, f"has the status {status} at Meta"))
        reason = f" ({rejected_reason})" if rejected_reason else ""
        found.append(
            Finding(
                "error",
                "template_not_approved",
                "template.name",
                f"This template {words}{reason}, so it cannot be sent now.",
                meta_code,
            )
        )
    if correct_category:
        found.append(
            Finding(
                "warning",
                "template_category_will_change",
                "template.name",
                f"Meta is going to move this template to the category {correct_category}.",
            )
        )
    return found


def not_found(name: str, language: str, languages: Sequence[str]) -> Finding:
    """Say that a template does not exist, and in which languages it does."""
    hint = f" It exists in {', '.join(languages)}." if languages else ""
    message = f"There is no template {name} in {language}.{hint}"
    return Finding("error", "template_not_found", "template.name", message, 132001)


def findings(parts: Approved, what: FilledTemplate, *, is_authentication: bool = False) -> Iterator[Finding]:
    """Yield everything about one row of values; errors that a send would be refused with come first."""
    # Any sample will do: whether Meta still has it is not the values' fault.
    for refusal in filling_of(what, parts, {"link": parts.sample_url or "sample"}).refusals:
        yield as_finding(refusal)
    yield from _lengths(parts, what)
    yield from _unused(parts, what)
    for place, value in enumerate(what.buttons):
        if 0 <= value.index < len(parts.buttons):
            yield from _button(parts.buttons[value.index], value, f"template.buttons[{place}]")
    if is_authentication:
        for name in parts.body_names:
            yield from _too_long(
                what.parameters.get(name), CODE_LONGEST, f"template.parameters.{name}", "A one-time password"
            )


def _lengths(parts: Approved, what: FilledTemplate) -> Iterator[Finding]:
    header = filled(parts.header_text, what.header_parameters) if parts.header_names else ""
    body = filled(parts.body_text, what.parameters) if parts.body_names else ""
    for text, longest, param in (
        (header, HEADER_LONGEST, "template.header_parameters"),
        (body, BODY_LONGEST, "template.parameters"),
    ):
        if len(text) > longest:
            message = f"Filled in, this text has {len(text)} characters; WhatsApp takes {longest}."
            yield Finding("error", "template_text_too_long", param, message, 132005)


def _unused(parts: Approved, what: FilledTemplate) -> Iterator[Finding]:
    for given, names, param in (
        (what.parameters, parts.body_names, "template.parameters"),
        (what.header_parameters, parts.header_names, "template.header_parameters"),
    ):
        if param == "template.header_parameters" and parts.header_format not in ("", "TEXT"):
            continue
        missing = [name for name in names if name not in given]
        for name in given:
            if name not in names:
                close = difflib.get_close_matches(name[:64], missing, 1, 0.5)
                hint = f" Did you mean {close[0]}?" if close else ""
                message = f"The template has no such placeholder, so this value is not used.{hint}"
                yield Finding("warning", "parameter_not_used", f"{param}.{name}", message)
    url = what.header_media_url
    if url is None:
        return
    if not parts.header_format:
        message = "The template has no header, so this file is not used."
        yield Finding("warning", "parameter_not_used", "template.header_media_url", message)
    elif parts.header_format in MEDIA:
        yield from _ending(parts.header_format, url)


def _ending(header_format: str, url: str) -> Iterator[Finding]:
    try:
        last = urlsplit(url).path.rpartition("/")[2].lower()
    except ValueError:
        return  # refused already
    known = [kind for kind, endings in _ENDINGS.items() if last.endswith(endings)]
    if known and header_format in _ENDINGS and header_format not in known:
        message = (
            f"This looks like a file for a header of type {known[0]}; the template's is {header_format}."
        )
        yield Finding("warning", "media_type_mismatch", "template.header_media_url", message, 132012)


def _button(button: Button, value: ButtonValue, path: str) -> Iterator[Finding]:
    given = [member for member in BUTTON_MEMBERS if getattr(value, member)]
    kind = "OTP" if button.is_code else button.kind
    if button.is_static:
        if given:
            message = f"The button is a static {kind}, so this value is not used."
            yield Finding("warning", "parameter_not_used", f"{path}.{given[0]}", message)
        return
    fitting = _MEMBERS.get(kind, ("action",))
    if given and not any(member in fitting for member in given):
        message = f"The button is of type {kind}: send {fitting[0]}, not {given[0]}."
        yield Finding("error", "template_button_kind_mismatch", f"{path}.{given[0]}", message, 132018)
        return
    if kind == "SPM" and "product_retailer_id" not in (value.action or {"product_retailer_id": ""}):
        message = (
            "WhatsApp shows this button's product from the header: send product_retailer_id and catalog_id."
        )
        yield Finding("error", "template_button_kind_mismatch", f"{path}.action", message, 132018)
    if kind == "OTP":
        yield from _too_long(
            value.otp_code or value.url_suffix, CODE_LONGEST, f"{path}.{fitting[0]}", "A one-time password"
        )
    elif kind == "URL":
        yield from _suffix(button, value.url_suffix or value.otp_code or "", f"{path}.url_suffix")
    elif kind == "QUICK_REPLY":
        yield from _too_long(
            value.quick_reply_payload, PAYLOAD_LONGEST, f"{path}.quick_reply_payload", "A payload"
        )
    elif kind == "COPY_CODE":
        yield from _coupon(value.coupon_code or "", f"{path}.coupon_code")


def _suffix(button: Button, suffix: str, param: str) -> Iterator[Finding]:
    yield from _too_long(suffix, LINK_LONGEST, param, "The end of a link")
    if suffix.lower().startswith(("http://", "https://")):
        shown = filled(button.target, {"1": suffix[:200]})
        message = f"Send only what takes the place of {{{{1}}}}; this makes the address {shown}."
        yield Finding("warning", "url_suffix_is_whole_address", param, message)


def _coupon(code: str, param: str) -> Iterator[Finding]:
    if COUPON_SURE < len(code) <= COUPON_LONGEST:
        message = f"Longer than {COUPON_SURE} characters, which not every version of WhatsApp shows."
        yield Finding("warning", "coupon_code_long", param, message)
    yield from _too_long(code, COUPON_LONGEST, param, "A coupon code")


def _too_long(value: str | None, longest: int, param: str, what: str) -> Iterator[Finding]:
    if value and len(value) > longest:
        message = f"{what} has at most {longest} characters; this has {len(value)}."
        yield Finding("error", "template_value_too_long", param, message, 132018)
