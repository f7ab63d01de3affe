"""Checks of a template send: does the template exist, may it be sent, and do the given values fit it."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import parts
from .errors import GraphError, missing
from .models import Number, Template

if TYPE_CHECKING:
    from .world import World

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_BAD_TEXT = re.compile(r"[\n\r\t]| {5,}")
_MEDIA = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "document", "GIF": "gif"}
_SUB_TYPES = {
    "URL": "url", "QUICK_REPLY": "quick_reply", "COPY_CODE": "copy_code", "FLOW": "flow",
    "CATALOG": "catalog", "MPM": "mpm", "ORDER_DETAILS": "order_details",
}  # fmt: skip


@dataclass(slots=True)
class Spec:
    """What a list of stored components asks of a send call."""

    header_text: str = ""
    header_names: list[str] = field(default_factory=list)
    header_kind: str = ""
    body_text: str = ""
    body_names: list[str] = field(default_factory=list)
    buttons: list[dict[str, Any]] = field(default_factory=list)
    expires: bool = False
    cards: list["Spec"] = field(default_factory=list)
    named: bool = False


def variables(text: str) -> list[str]:
    """The variables of a text, each once, positional ones in numeric order."""
    found = list(dict.fromkeys(_VARIABLE.findall(text)))
    return sorted(found, key=int) if found and all(name.isdigit() for name in found) else found


def spec_of(template: Template) -> Spec:
    """What the template asks for; worked out once."""
    if template.spec is None:
        template.spec = _compile(template.components, template.parameter_format == "NAMED")
    return template.spec


def _compile(components: list[dict[str, Any]], named: bool) -> Spec:
    spec = Spec(named=named)
    for component in components:
        kind = component.get("type", "").upper()
        if kind == "HEADER":
            spec.header_kind = component.get("format", "TEXT").upper()
            spec.header_text = component.get("text", "")
            spec.header_names = variables(spec.header_text)
        elif kind == "BODY":
            spec.body_text = component.get("text", "")
            spec.body_names = variables(spec.body_text)
        elif kind == "BUTTONS":
            spec.buttons = component.get("buttons", [])
        elif kind == "LIMITED_TIME_OFFER":
            spec.expires = bool(component.get("limited_time_offer", {}).get("has_expiration"))
        elif kind == "CAROUSEL":
            spec.cards = [_compile(card.get("components", []), named) for card in component.get("cards", [])]
    return spec


def check(world: "World", number: Number, part: Any, by_user_id: bool) -> Template:
    """Find the template and check every value; GraphError as Meta would answer it."""
    if not isinstance(part, dict):
        raise GraphError(100, "Param template must be a JSON object.")
    for key in part:
        if key not in ("name", "language", "components", "namespace"):
            raise GraphError(100, f"Unexpected key '{key}' on param 'template'.")
    name, language = part.get("name"), part.get("language")
    if not name:
        raise missing("template['name']")
    code = language.get("code") if isinstance(language, dict) else None
    if not code:
        raise missing("template['language']['code']")
    assert isinstance(language, dict)
    if language.get("policy", "deterministic") != "deterministic":
        raise GraphError(100, "Param template['language']['policy'] must be one of {DETERMINISTIC}.")
    template = world.wabas[number.waba_id].by_name.get((name, code))
    if template is None or template.status not in ("APPROVED", "PAUSED", "DISABLED"):
        raise GraphError(132001, f"template name ({name}) does not exist in {code}")
    if template.status != "APPROVED":
        raise GraphError(132015 if template.status == "PAUSED" else 132016)
    if by_user_id and template.category == "AUTHENTICATION":
        raise GraphError(131062, "Authentication templates need a phone number.")
    components = part.get("components")
    if components is None:
        components = []
    if not isinstance(components, list) or not all(isinstance(item, dict) for item in components):
        raise GraphError(100, "Param template['components'] must be an array of objects.")
    _components(
        spec_of(template), components, "", template.category == "AUTHENTICATION", _MediaOf(world, number)
    )
    return template


class _MediaOf:
    """Checks media against the files of one number."""

    def __init__(self, world: "World", number: Number) -> None:
        self._world, self._number = world, number

    def media(self, kind: str, value: Any, path: str) -> None:
        parts.media_object(self._world, self._number, kind, value, path)

    def place(self, value: Any, path: str) -> None:
        parts.place(value, path, all_required=True)


def _components(spec: Spec, given: list[dict[str, Any]], where: str, is_code: bool, media: _MediaOf) -> None:
    """Match given components against the spec; `where` names the card inside a carousel."""
    header: list[Any] | None = None
    body: list[Any] | None = None
    offer: list[Any] | None = None
    cards: list[Any] | None = None
    buttons: dict[int, tuple[str, list[Any]]] = {}
    for component in given:
        kind = str(component.get("type", "")).lower()
        parameters = component.get("parameters", [])
        if not isinstance(parameters, list) or not all(isinstance(one, dict) for one in parameters):
            raise GraphError(100, f"{where}{kind}: 'parameters' must be an array of objects.")
        if kind == "header":
            header = parameters
        elif kind == "body":
            body = parameters
        elif kind == "limited_time_offer":
            offer = parameters
        elif kind == "carousel":
            cards = component.get("cards")
        elif kind == "button":
            index = component.get("index")
            if index is None or not str(index).isdigit():
                raise GraphError(131008, f"{where}buttons: 'index' is required and must be a number.")
            buttons[int(index)] = (str(component.get("sub_type", "")).lower(), parameters)
        elif kind != "tap_target_configuration":
            raise GraphError(100, f"{where}Unexpected component type '{component.get('type')}'.")
    _header(spec, header or [], where, media)
    values = _texts(spec.body_names, body or [], spec.named, f"{where}body", is_code)
    _hydrated(spec.body_text, spec.body_names, values, 1024, f"{where}body")
    if spec.expires:
        _offer(offer, where)
    _buttons(spec, buttons, where, is_code)
    _carousel(spec, cards, media)


def _header(spec: Spec, given: list[dict[str, Any]], where: str, media: _MediaOf) -> None:
    path = f"{where}header"
    if spec.header_kind in _MEDIA:
        kind = _MEDIA[spec.header_kind]
        received = str(given[0].get("type", "unknown")).lower() if given else "unknown"
        if received != kind:
            raise GraphError(
                132012, f"{path}: Format mismatch, expected {spec.header_kind}, received {received.upper()}"
            )
        if kind != "gif":
            media.media(kind, given[0].get(kind), path)
    elif spec.header_kind == "LOCATION":
        if not given or given[0].get("type") != "location":
            raise GraphError(132012, f"{path}: Format mismatch, expected LOCATION, received UNKNOWN")
        media.place(given[0].get("location"), path)
    elif spec.header_kind == "PRODUCT":
        if not given or given[0].get("type") != "product":
            raise GraphError(132012, f"{path}: Format mismatch, expected PRODUCT, received UNKNOWN")
    else:
        if given and str(given[0].get("type", "")).lower() in ("image", "video", "document", "location"):
            raise GraphError(
                132012, f"{path}: Format mismatch, expected TEXT, received {given[0]['type'].upper()}"
            )
        values = _texts(spec.header_names, given, spec.named, path, False)
        _hydrated(spec.header_text, spec.header_names, values, 60, path)


def _texts(names: list[str], given: list[dict[str, Any]], named: bool, path: str, is_code: bool) -> list[str]:
    """The text values in the order of `names`."""
    if len(given) != len(names):
        raise GraphError(
            132000,
            f"{path}: number of localizable_params ({len(given)}) does not match the expected number of "
            f"params ({len(names)})",
        )
    values: dict[str, str] = {}
    for position, parameter in enumerate(given):
        label = parameter.get("parameter_name")
        if named and not label:
            raise GraphError(132012, f"{path}: Parameter name is missing or empty")
        if not named and label is not None:
            raise GraphError(132012, f"{path}: Parameter name is not allowed: the template is positional")
        key = label if named else names[position]
        if key not in names or key in values:
            raise GraphError(132012, f"{path}: Parameter name '{key}' does not match the template")
        values[key] = _text_value(parameter, path, is_code)
    return [values[name] for name in names]


def _text_value(parameter: dict[str, Any], path: str, is_code: bool) -> str:
    kind = parameter.get("type")
    if kind in ("currency", "date_time"):
        inner = parameter.get(kind)
        value = inner.get("fallback_value") if isinstance(inner, dict) else None
    elif kind == "text":
        value = parameter.get("text")
    else:
        raise GraphError(132012, f"{path}: Format mismatch, expected TEXT, received {str(kind).upper()}")
    if value is None:
        raise missing(f"{path}: parameter['text']")
    if not isinstance(value, str):
        raise GraphError(100, f"{path}: parameter['text'] must be a string.")
    if not value:
        raise GraphError(131008, f"{path}: Parameter of type text is missing text value")
    if _BAD_TEXT.search(value):
        raise GraphError(
            132018,
            f"{path}: Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
        )
    if is_code and len(value) > 15:
        raise GraphError(132018, f"{path}: the code is longer than 15 characters")
    return value


def _hydrated(text: str, names: list[str], values: list[str], longest: int, path: str) -> None:
    if not names:
        return
    filled = dict(zip(names, values, strict=True))
    length = len(_VARIABLE.sub(lambda found: filled[found.group(1)], text))
    if length > longest:
        raise GraphError(132005, f"{path}: text is {length} characters long, more than {longest}")


def _offer(given: list[dict[str, Any]] | None, where: str) -> None:
    inner = given[0].get("limited_time_offer") if given else None
    expires = inner.get("expiration_time_ms") if isinstance(inner, dict) else None
    if isinstance(expires, bool) or not isinstance(expires, int) or expires <= 0:
        raise GraphError(131008, f"{where}limited_time_offer: 'expiration_time_ms' is required.")


def _buttons(spec: Spec, given: dict[int, tuple[str, list[Any]]], where: str, is_code: bool) -> None:
    for index, (sub_type, _) in given.items():
        if index >= len(spec.buttons):
            raise GraphError(132018, f"{where}buttons: there is no button at index {index}")
        kind = spec.buttons[index].get("type", "").upper()
        if sub_type != _SUB_TYPES.get(kind, ""):
            raise GraphError(
                132018, f"{where}buttons: button at index {index} is of type {kind}, not '{sub_type}'"
            )
    for index, button in enumerate(spec.buttons):
        kind = button.get("type", "").upper()
        parameters = given[index][1] if index in given else None
        path = f"{where}buttons: button at index {index} of type {kind}"
        if kind == "URL":
            _url(variables(button.get("url", "")), parameters, path, is_code)
        elif kind == "COPY_CODE":
            _coupon(parameters, path)
        elif kind == "MPM" and not parameters:
            raise GraphError(131008, f"{path} requires a parameter")
        elif kind == "QUICK_REPLY" and parameters:
            payload = parameters[0].get("payload")
            if (
                parameters[0].get("type") != "payload"
                or not isinstance(payload, str)
                or not 0 < len(payload) <= 256
            ):
                raise GraphError(132018, f"{path} takes a payload of 1 to 256 characters")
        elif kind in ("FLOW", "CATALOG") and parameters and parameters[0].get("type") != "action":
            raise GraphError(132018, f"{path} takes a parameter of type action")


def _url(names: list[str], parameters: list[Any] | None, path: str, is_code: bool) -> None:
    if not names:
        if parameters:
            raise GraphError(132018, f"{path} does not have a variable")
        return
    if not parameters:
        raise GraphError(131008, f"{path} requires a parameter")
    if len(parameters) != 1:
        raise GraphError(132018, f"{path} takes one parameter")
    value = _text_value(parameters[0], path, is_code)
    if len(value) > 2000:
        raise GraphError(132018, f"{path}: the suffix is longer than 2000 characters")


def _coupon(parameters: list[Any] | None, path: str) -> None:
    if not parameters:
        raise GraphError(131008, f"{path} requires a parameter")
    code = parameters[0].get("coupon_code")
    if parameters[0].get("type") != "coupon_code" or not isinstance(code, str) or not 0 < len(code) <= 20:
        raise GraphError(132018, f"{path} takes a coupon_code of 1 to 20 characters")


def _carousel(spec: Spec, given: Any, media: _MediaOf) -> None:
    if not spec.cards:
        if given is not None:
            raise GraphError(132012, "carousel: the template has none")
        return
    if not isinstance(given, list) or len(given) != len(spec.cards):
        count = len(given) if isinstance(given, list) else 0
        raise GraphError(132012, f"carousel: {count} cards given, the template has {len(spec.cards)}")
    seen = set()
    for position, card in enumerate(given):
        index = card.get("card_index", position) if isinstance(card, dict) else None
        if not isinstance(index, int) or not 0 <= index < len(spec.cards) or index in seen:
            raise GraphError(132012, "carousel: 'card_index' is wrong")
        seen.add(index)
        components = card.get("components")
        if not isinstance(components, list) or not all(isinstance(item, dict) for item in components):
            raise GraphError(131008, f"carousel: card {index} has no components")
        _components(spec.cards[index], components, f"carousel card {index} ", False, media)
