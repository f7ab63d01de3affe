"""Friendly values for a template that is not known here: written by their looks, judged by Meta.

A template may be minutes old, or the account's WhatsApp account id may not be saved. The send is accepted
and Meta decides (contract J11), so the components must be what they would be for a well-fitting template.
"""

from __future__ import annotations

from core.errors import invalid
from messaging.compose.buttons import guessed_components
from messaging.compose.drafts import FilledTemplate, RawTemplate
from messaging.compose.template import Sheet, mixed_styles
from messaging.compose.values import media_parameter, media_url_refusals, text_parameter, value_problem

_KIND_BY_ENDING = {"mp4": "video", "3gp": "video", "pdf": "document", "docx": "document", "xlsx": "document"}


def fill_unknown(what: FilledTemplate) -> RawTemplate:
    """Write the values without the template. Raises ``Refusal`` for values that no template could take."""
    sheet = Sheet(refusals=mixed_styles(what, None))
    if what.header_media_url is not None:
        ending = what.header_media_url.partition("?")[0].rpartition(".")[2].lower()
        kind = _KIND_BY_ENDING.get(ending, "image")
        sheet.refusals += media_url_refusals(what.header_media_url)
        if not sheet.refusals:
            sheet.add("header", [media_parameter(kind, what.header_media_url)])
    else:
        _texts(sheet, "header", what.header_parameters, "template.header_parameters")
    _texts(sheet, "body", what.parameters, "template.parameters")
    if what.limited_time_offer:
        part = {"type": "limited_time_offer", "limited_time_offer": what.limited_time_offer}
        sheet.add("limited_time_offer", [part])
    if what.carousel:
        sheet.components.append({**what.carousel, "type": "carousel"})
    buttons = guessed_components(what)
    sheet.components += buttons.components
    for refusal in sheet.refusals + buttons.refusals:
        raise refusal
    return RawTemplate(what.name, what.language, sheet.components or None)


def _texts(sheet: Sheet, kind: str, values: dict[str, str], param: str) -> None:
    numbered = all(name.isascii() and name.isdigit() and len(name) < 10 for name in values)
    for name in values:
        if problem := value_problem(values[name]):
            sheet.refusals.append(invalid(f"{param}.{name}", problem))
    names = sorted(values, key=int) if numbered else list(values)
    sheet.add(kind, [text_parameter(name, values[name], named=not numbered) for name in names])
