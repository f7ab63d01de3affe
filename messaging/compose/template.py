"""Filling: friendly values and an approved template become Meta's components, or refusals that say why not.

Which component belongs to which part is Meta's template reference; which refusal has which code is the
template page of the v1 API. What Meta alone decides (lengths, whether a file can be fetched) is left to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import Refusal, invalid
from messaging.compose.approved import MEDIA, PLACE, PRODUCT, Approved, filled
from messaging.compose.buttons import button_components, guessed_components
from messaging.compose.drafts import FilledTemplate, RawTemplate
from messaging.compose.values import media_parameter, media_url_refusals, text_parameter, value_problem


@dataclass(slots=True)
class Filling:
    """What came of the values: the components, and everything that is wrong with them."""

    components: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, kind: str, parameters: list[dict[str, Any]], **more: Any) -> None:
        """Add a component, unless there is nothing in it."""
        if parameters:
            self.components.append({"type": kind, **more, "parameters": parameters})


def fill(what: FilledTemplate, approved: Approved, sample: Mapping[str, str] | None = None) -> RawTemplate:
    """Fill an approved template. ``sample`` is ``{"id": …}`` or ``{"link": …}`` of its header's own file.

    Raises the first of the refusals that ``filling_of`` finds.
    """
    filling = filling_of(what, approved, sample)
    if filling.refusals:
        raise filling.refusals[0]
    text = filled(approved.body_text, what.parameters) or None
    return RawTemplate(what.name, what.language, filling.components or None, text)


def filling_of(what: FilledTemplate, approved: Approved, sample: Mapping[str, str] | None = None) -> Filling:
    """Fill an approved template as far as possible and collect every refusal, in the order of the page."""
    filling = Filling()
    filling.refusals += mixed_styles(what, approved)
    if not filling.refusals:
        _header(filling, what, approved, sample)
        _body(filling, what, approved)
    _offer(filling, what, approved)
    _carousel(filling, what, approved)
    buttons = button_components(what, approved)
    filling.components += buttons.components
    filling.refusals += buttons.refusals
    return filling


def mixed_styles(what: FilledTemplate, approved: Approved | None) -> list[Refusal]:
    """Refuse ``{{1}}`` beside ``{{name}}``, in the template or among the caller's names."""
    if approved is not None and approved.mixed:
        return [
            Refusal(
                "mixed_parameter_format",
                "The template mixes numbered placeholders such as {{1}} with named ones. Edit it in "
                "WhatsApp Manager so that it uses one style.",
                param="template.name",
            )
        ]
    if approved is not None and not approved.body_names:
        return []  # such a template takes no parameters and ignores those it gets
    if len({key.isascii() and key.isdigit() for key in what.parameters}) > 1:
        return [
            Refusal(
                "mixed_parameter_format",
                "The parameters mix numbers and names. Use the style of the template's body for all of them.",
                param="template.parameters",
            )
        ]
    return []


# --- header


def _header(
    filling: Filling, what: FilledTemplate, approved: Approved, sample: Mapping[str, str] | None
) -> None:
    if approved.header_format == "TEXT":
        _text_header(filling, what, approved)
    elif approved.header_format in MEDIA:
        _media_header(filling, what, approved, sample)
    elif approved.header_format == "LOCATION":
        filling.add("header", _object_of(filling, what.header_parameters, "location", PLACE))
    elif approved.header_format == "PRODUCT":
        # The page gives an SPM template's product as its button's action.
        values = what.header_parameters or _product_of(what)
        filling.add("header", _object_of(filling, values, "product", PRODUCT))


def _text_header(filling: Filling, what: FilledTemplate, approved: Approved) -> None:
    if what.header_media_url is not None:
        filling.refusals.append(
            Refusal(
                "template_header_kind_mismatch",
                "This template has a text header, so it takes no header_media_url.",
                param="template.header_media_url",
            )
        )
    names = approved.header_names
    if len(names) > 1:
        filling.refusals.append(
            Refusal(
                "template_header_too_many_parameters",
                "The template's header has several placeholders; WhatsApp allows one. Edit the template.",
                param="template.header_parameters",
            )
        )
        return
    for name in names:
        value = what.header_parameters.get(name)
        param = f"template.header_parameters.{name}"
        if value is None:
            filling.refusals.append(
                Refusal(
                    "template_header_variable_missing",
                    f"The template's header needs a value for {{{{{name}}}}}.",
                    param=param,
                )
            )
        elif problem := value_problem(value):
            filling.refusals.append(invalid(param, problem))
        else:
            filling.add("header", [text_parameter(name, value, named=not name.isdigit())])


def _media_header(
    filling: Filling, what: FilledTemplate, approved: Approved, sample: Mapping[str, str] | None
) -> None:
    kind = MEDIA[approved.header_format]
    if what.header_parameters:
        filling.refusals.append(
            Refusal(
                "template_header_kind_mismatch",
                f"This template's header is of type {approved.header_format}, so it takes no "
                "header_parameters; send header_media_url, or nothing for the approved sample.",
                param="template.header_parameters",
            )
        )
    if what.header_media_url is not None:
        unusable = media_url_refusals(what.header_media_url)
        filling.refusals += unusable
        if not unusable:
            filling.add("header", [media_parameter(kind, what.header_media_url)])
    elif sample:
        filling.add("header", [{"type": kind, kind: dict(sample)}])
    else:
        filling.refusals.append(
            invalid(
                "template.header_media_url",
                f"This template has a header of type {approved.header_format} and Meta gives no sample of "
                "it, so a file must be sent.",
            )
        )


def _product_of(what: FilledTemplate) -> dict[str, str]:
    for button in what.buttons:
        if button.action and button.action.get("product_retailer_id"):
            return {name: str(button.action[name]) for name in PRODUCT if button.action.get(name)}
    return {}


def _object_of(
    filling: Filling, values: Mapping[str, str], kind: str, members: tuple[str, ...]
) -> list[dict[str, Any]]:
    missing = [name for name in members if not values.get(name, "").strip()]
    if missing:
        filling.refusals.append(
            Refusal(
                "template_header_variable_missing",
                f"The template's header is a {kind}; header_parameters must have {', '.join(members)}.",
                param=f"template.header_parameters.{missing[0]}",
            )
        )
        return []
    return [{"type": kind, kind: {name: values[name] for name in members}}]


# --- body, offer, carousel


def _body(filling: Filling, what: FilledTemplate, approved: Approved) -> None:
    parameters = []
    for name in approved.body_names:
        value = what.parameters.get(name)
        param = f"template.parameters.{name}"
        if value is None:
            filling.refusals.append(invalid(param, f"The template's body needs a value for {{{{{name}}}}}."))
        elif problem := value_problem(value):
            filling.refusals.append(invalid(param, problem))
        else:
            parameters.append(text_parameter(name, value, named=approved.named))
    filling.add("body", parameters)


def _offer(filling: Filling, what: FilledTemplate, approved: Approved) -> None:
    if not approved.offer_expires:
        return
    if what.limited_time_offer:
        part = {"type": "limited_time_offer", "limited_time_offer": what.limited_time_offer}
        filling.add("limited_time_offer", [part])
    else:
        filling.refusals.append(
            invalid(
                "template.limited_time_offer",
                'This template\'s offer ends; say when: {"expiration_time_ms": Unix time in milliseconds}.',
            )
        )


def _carousel(filling: Filling, what: FilledTemplate, approved: Approved) -> None:
    cards = (what.carousel or {}).get("cards")
    if approved.cards and (not isinstance(cards, list) or len(cards) != len(approved.cards)):
        filling.refusals.append(
            invalid(
                "template.carousel.cards", f"This template has {len(approved.cards)} cards; send as many."
            )
        )
    elif what.carousel and isinstance(cards, list):
        filling.components.append({**what.carousel, "type": "carousel"})


# --- a template that is not known here
#
# It may be minutes old, or the account's WhatsApp account id may not be saved. The send is accepted and Meta
# decides (contract J11), so the components must be what they would be for a well-fitting template.

_KIND_BY_ENDING = {"mp4": "video", "3gp": "video", "pdf": "document", "docx": "document", "xlsx": "document"}


def fill_unknown(what: FilledTemplate) -> RawTemplate:
    """Write the values by their looks. Raises ``Refusal`` for values that no template could take."""
    filling = Filling(refusals=mixed_styles(what, None))
    if what.header_media_url is not None:
        ending = what.header_media_url.partition("?")[0].rpartition(".")[2].lower()
        kind = _KIND_BY_ENDING.get(ending, "image")
        filling.refusals += media_url_refusals(what.header_media_url)
        if not filling.refusals:
            filling.add("header", [media_parameter(kind, what.header_media_url)])
    else:
        _texts(filling, "header", what.header_parameters, "template.header_parameters")
    _texts(filling, "body", what.parameters, "template.parameters")
    if what.limited_time_offer:
        part = {"type": "limited_time_offer", "limited_time_offer": what.limited_time_offer}
        filling.add("limited_time_offer", [part])
    if what.carousel:
        filling.components.append({**what.carousel, "type": "carousel"})
    buttons = guessed_components(what)
    filling.components += buttons.components
    for refusal in filling.refusals + buttons.refusals:
        raise refusal
    return RawTemplate(what.name, what.language, filling.components or None)


def _texts(filling: Filling, kind: str, values: dict[str, str], param: str) -> None:
    numbered = all(name.isascii() and name.isdigit() and len(name) < 10 for name in values)
    for name in values:
        if problem := value_problem(values[name]):
            filling.refusals.append(invalid(f"{param}.{name}", problem))
    names = sorted(values, key=int) if numbered else list(values)
    filling.add(kind, [text_parameter(name, values[name], named=not numbered) for name in names])
