"""Templates over the management API: list, read, create, edit, delete, and Meta's review."""

import itertools
import re
from collections.abc import Callable, Container
from typing import Any

from .. import ids, samples, seed_templates
from ..callbacks import Courier, Item
from ..errors import GraphError, no_such_object
from ..graph import Call, chosen_fields, route
from ..models import Template, Waba
from ..template_checks import variables
from ..world import World
from .accounts import page

CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")
STATUSES = (
    "APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED", "IN_APPEAL", "PENDING_DELETION", "DELETED",
    "LIMIT_EXCEEDED", "ARCHIVED", "LOCKED", "REINSTATED", "FLAGGED",
)  # fmt: skip
_NAME = re.compile(r"[a-z0-9_]{1,512}\Z")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2,3})?\Z")
_BUTTONS = {
    "URL", "QUICK_REPLY", "PHONE_NUMBER", "COPY_CODE", "FLOW", "CATALOG", "MPM", "SPM", "OTP",
    "ORDER_DETAILS", "VOICE_CALL", "REQUEST_CONTACT_INFO", "CALL_PERMISSION_REQUEST",
}  # fmt: skip
_DEFAULT = (
    "name",
    "parameter_format",
    "components",
    "language",
    "status",
    "category",
    "message_send_ttl_seconds",
)


def _fields_of(call: Call, template: Template) -> dict[str, Callable[[], Any]]:
    return {
        "id": lambda: template.id,
        "name": lambda: template.name,
        "language": lambda: template.language,
        "status": lambda: template.status,
        "category": lambda: template.category,
        "sub_category": lambda: None,
        "previous_category": lambda: None,
        "correct_category": lambda: None,
        "parameter_format": lambda: template.parameter_format,
        "components": lambda: samples.shown_components(call.world, template, call.host_url),
        "quality_score": lambda: {"score": template.quality, "date": int(template.updated_at)},
        "rejected_reason": lambda: template.rejected_reason,
        "message_send_ttl_seconds": lambda: template.message_send_ttl_seconds,
        "cta_url_link_tracking_opted_out": lambda: False,
        "last_updated_time": lambda: int(template.updated_at),
        "library_template_name": lambda: None,
    }


def _shown(call: Call, template: Template) -> dict[str, Any]:
    return chosen_fields(call, _fields_of(call, template), _DEFAULT, "WhatsAppMessageTemplate")


@route("GET", "waba", "message_templates")
async def list_templates(call: Call) -> Any:
    """`GET /{waba_id}/message_templates`, with Meta's filters and cursors."""
    rows = list(call.node.templates.values())
    for name in ("status", "category", "language"):
        wanted = call.query.get(name, "").lower()
        if wanted:
            rows = [row for row in rows if getattr(row, name).lower() == wanted]
    for name in ("name", "name_or_content"):
        part = call.query.get(name, "").lower()
        if part:
            rows = [row for row in rows if part in row.name]
    return page(call, [_shown(call, row) for row in rows])


@route("GET", "template")
async def read(call: Call) -> Any:
    """`GET /{template_id}`."""
    return _shown(call, call.node)


@route("POST", "waba", "message_templates")
async def create(call: Call) -> Any:
    """Create a template: it is PENDING, and reviewed after the option `review_delay`."""
    waba: Waba = call.node
    given = await call.params()
    name, language = given.get("name"), given.get("language")
    category = str(given.get("category", "")).upper()
    if not isinstance(name, str) or not _NAME.match(name):
        raise _refused(2388040, "Param name takes lowercase letters, digits and underscores, at most 512.")
    if not isinstance(language, str) or not _LANGUAGE.match(language):
        raise GraphError(100, "Param language must be a language code.")
    if category not in CATEGORIES:
        raise GraphError(100, "Param category must be one of {UTILITY, MARKETING, AUTHENTICATION}")
    if (name, language) in waba.by_name:
        raise _refused(2388024, f"There is already {language} content for this template.")
    form = str(given.get("parameter_format", "POSITIONAL")).upper()
    components = _checked(given.get("components"), category, form, call.world.samples)
    now = call.world.clock.now()
    template = Template(
        id=ids.fresh_numeric(16),
        waba_id=waba.id,
        name=name,
        language=language,
        category=category,
        status="PENDING",
        components=components,
        parameter_format=form,
        message_send_ttl_seconds=given.get("message_send_ttl_seconds"),
        updated_at=now,
    )
    waba.add(template)
    call.world.templates[template.id] = template
    call.courier.later(call.world.options.review_delay, review, call.world, call.courier, template)
    return {"id": template.id, "status": template.status, "category": template.category}


@route("POST", "template")
async def edit(call: Call) -> Any:
    """Replace a template's components or category; it goes back to review."""
    template: Template = call.node
    if template.status not in ("APPROVED", "REJECTED", "PAUSED"):
        raise _refused(2388039, "Only approved, rejected or paused templates can be edited.")
    given = await call.params()
    category = str(given.get("category", template.category)).upper()
    if category not in CATEGORIES:
        raise GraphError(100, "Param category must be one of {UTILITY, MARKETING, AUTHENTICATION}")
    if category != template.category and template.status == "APPROVED":
        raise _refused(2388039, "The category of an approved template cannot be edited.")
    if "components" in given:
        template.components = _checked(
            given["components"], category, template.parameter_format, call.world.samples
        )
        template.spec = None
    template.category = category
    template.status = "PENDING"
    template.updated_at = call.world.clock.now()
    call.courier.later(call.world.options.review_delay, review, call.world, call.courier, template)
    return {"success": True, "id": template.id, "name": template.name, "category": template.category}


@route("POST", "template", "unpause")
async def unpause(call: Call) -> Any:
    """Take a paused template back into use."""
    if call.node.status != "PAUSED":
        return {"success": False, "reason": "The template is not paused."}
    change_status(call.world, call.courier, call.node, "APPROVED")
    return {"success": True}


@route("DELETE", "waba", "message_templates")
async def delete(call: Call) -> Any:
    """Delete all languages of a name, or the templates with given ids."""
    waba: Waba = call.node
    given = await call.params()
    name, one, many = given.get("name"), given.get("hsm_id"), given.get("hsm_ids")
    if many:
        wanted = {str(item) for item in many} if isinstance(many, list) else set()
        doomed = [row for row in waba.templates.values() if row.id in wanted]
    elif one:
        doomed = [row for row in waba.templates.values() if row.id == str(one) and name in (None, row.name)]
    elif name:
        doomed = [row for row in waba.templates.values() if row.name == name]
    else:
        raise GraphError(100, message="(#100) The parameter name is required.", plain=True)
    if not doomed:
        raise no_such_object(str(one or name), "delete")
    for template in doomed:
        waba.remove(template)
        call.world.templates.pop(template.id, None)
        announce(call.courier, template, "DELETED")
    return {"success": True}


def review(world: World, courier: Courier, template: Template) -> None:
    """Meta has looked at the template: approved, unless its name asks for the opposite."""
    if world.templates.get(template.id) is not template or template.status != "PENDING":
        return
    rejected = template.name.endswith("_rejected")
    change_status(world, courier, template, "REJECTED" if rejected else "APPROVED")


def change_status(world: World, courier: Courier, template: Template, status: str, reason: str = "") -> None:
    """Give a template another status and tell its subscribers."""
    template.status = status
    template.rejected_reason = (reason or "INVALID_FORMAT") if status == "REJECTED" else "NONE"
    template.updated_at = world.clock.now()
    announce(courier, template, status)


def announce(courier: Courier, template: Template, event: str) -> None:
    """Publish `message_template_status_update`: the language with a hyphen, the id as a number."""
    value: dict[str, Any] = {
        "event": event,
        "message_template_id": int(template.id),
        "message_template_name": template.name,
        "message_template_language": template.language.replace("_", "-"),
        "reason": template.rejected_reason,
        "message_template_category": template.category,
    }
    if event == "REJECTED":
        value["rejection_info"] = {
            "reason": "The template breaks a rule of the content guidelines.",
            "recommendation": "Change the text and hand it in again.",
        }
    elif event == "DISABLED":
        value["disable_info"] = {"disable_date": "today"}
    elif event == "PAUSED":
        value["other_info"] = {
            "title": "FIRST_PAUSE",
            "description": "Paused for 3 hours because of low quality.",
        }
    courier.publish(Item(template.waba_id, "message_template_status_update", value))


# -- what may be created -------------------------------------------------------------------------------


def _refused(subcode: int, sentence: str) -> GraphError:
    return GraphError(
        100,
        message="Invalid parameter",
        subcode=subcode,
        user_title="The template cannot be saved",
        user_message=sentence,
        blame='{"blame_field_specs":[["components"]]}',
    )


def _checked(given: Any, category: str, form: str, known: Container[str] = ()) -> list[dict[str, Any]]:
    """The components as reading will return them; a refusal if one cannot stand."""
    if form not in ("POSITIONAL", "NAMED"):
        raise GraphError(100, "Param parameter_format must be one of {POSITIONAL, NAMED}")
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        raise GraphError(100, message="(#100) The parameter components is required.", plain=True)
    if category == "AUTHENTICATION":
        return _authentication(given)
    made = []
    kinds = set()
    for component in given:
        kind = str(component.get("type", "")).upper()
        if kind not in ("HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL", "LIMITED_TIME_OFFER"):
            raise GraphError(100, f"Param components has the unknown type '{component.get('type')}'")
        if kind in kinds:
            raise GraphError(100, f"Param components has {kind} twice")
        kinds.add(kind)
        done = {**component, "type": kind}
        if kind == "HEADER":
            done["format"] = str(component.get("format", "TEXT")).upper()
            _check_header(done, known)
        elif kind == "BODY":
            _check_body(done, form)
        elif kind == "FOOTER" and (
            len(str(done.get("text", ""))) > 60 or variables(str(done.get("text", "")))
        ):
            raise _refused(2388073, "A footer has at most 60 characters and no variables.")
        elif kind == "BUTTONS":
            done["buttons"] = _check_buttons(done.get("buttons"))
        made.append(done)
    if "BODY" not in kinds:
        raise _refused(2388072, "A template needs a body.")
    return made


def _check_header(header: dict[str, Any], known: Container[str]) -> None:
    if header["format"] == "TEXT":
        text = header.get("text")
        if not isinstance(text, str) or not 0 < len(text) <= 60 or len(variables(text)) > 1:
            raise _refused(2388047, "A header text has 1 to 60 characters and at most one variable.")
        if variables(text) and not header.get("example"):
            raise _refused(2388047, "A header with a variable needs an example.")
    elif header["format"] in ("IMAGE", "VIDEO", "DOCUMENT"):
        handles = (header.get("example") or {}).get("header_handle")
        if not isinstance(handles, list) or not handles or not isinstance(handles[0], str):
            raise _refused(2388047, "A media header needs an example handle.")
        if handles[0].startswith("4::") and handles[0] not in known:
            raise _refused(2388047, "The example handle is not one of an upload.")
    elif header["format"] not in ("LOCATION", "PRODUCT", "GIF"):
        raise _refused(2388047, "The header's format is not known.")


def _check_body(body: dict[str, Any], form: str) -> None:
    text = body.get("text")
    if not isinstance(text, str) or not text:
        raise _refused(2388072, "The body needs a text.")
    if len(text) > 1024:
        raise _refused(2388040, "The body is longer than 1024 characters.")
    names = variables(text)
    stripped = text.strip()
    if names and (stripped.startswith("{{") or stripped.endswith("}}")):
        raise _refused(2388299, "Variables cannot be at the start or end of the template.")
    numbered = all(name.isdigit() for name in names)
    if names and numbered != (form == "POSITIONAL"):
        raise _refused(2388072, "The variables do not fit the parameter format.")
    if numbered and names != [str(place) for place in range(1, len(names) + 1)]:
        raise _refused(2388072, "Variables are numbered from 1 without gaps.")
    if names and not body.get("example"):
        raise _refused(2388072, "A body with variables needs examples.")
    if names and len(re.sub(r"\{\{.*?\}\}", "", text).split()) < 2 * len(names) - 1:
        raise _refused(2388293, "The body has too many variables for its length.")


def _check_buttons(given: Any) -> list[dict[str, Any]]:
    if (
        not isinstance(given, list)
        or not 0 < len(given) <= 10
        or not all(isinstance(one, dict) for one in given)
    ):
        raise GraphError(100, "Param buttons must be an array of 1 to 10 objects.")
    made = []
    for button in given:
        kind = str(button.get("type", "")).upper()
        if kind not in _BUTTONS:
            raise GraphError(100, f"Param buttons has the unknown type '{button.get('type')}'")
        if len(str(button.get("text", ""))) > 25:
            raise _refused(2388040, "A button's text has at most 25 characters.")
        done = {**button, "type": kind}
        if kind in ("COPY_CODE", "URL") and isinstance(button.get("example"), str):
            done["example"] = [button["example"]]
        made.append(done)
    kinds = [button["type"] for button in made]
    if kinds.count("URL") > 2 or kinds.count("PHONE_NUMBER") > 1 or kinds.count("COPY_CODE") > 1:
        raise GraphError(100, "Param buttons has too many of one type.")
    quick = [kind == "QUICK_REPLY" for kind in kinds]
    changes = sum(1 for one, other in itertools.pairwise(quick) if one != other)
    if changes > 1:
        raise GraphError(100, "Quick replies must stand together.")
    return made


def _authentication(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Meta writes the texts of authentication templates itself and turns the OTP button into a URL button."""
    by_kind = {str(component.get("type", "")).upper(): component for component in given}
    buttons = (by_kind.get("BUTTONS") or {}).get("buttons")
    button = buttons[0] if isinstance(buttons, list) and buttons and isinstance(buttons[0], dict) else {}
    if str(button.get("type", "")).upper() != "OTP":
        raise GraphError(100, "An authentication template needs one OTP button.")
    kind = str(button.get("otp_type", "")).upper()
    if kind not in ("COPY_CODE", "ONE_TAP", "ZERO_TAP"):
        raise GraphError(100, "Param otp_type must be one of {COPY_CODE, ONE_TAP, ZERO_TAP}")
    advice = bool((by_kind.get("BODY") or {}).get("add_security_recommendation"))
    text = "*{{1}}* is your verification code."
    if advice:
        text += " For your security, do not share this code."
    body = {"type": "BODY", "text": text, "add_security_recommendation": advice}
    made: list[dict[str, Any]] = [body | {"example": {"body_text": [["123456"]]}}]
    minutes = (by_kind.get("FOOTER") or {}).get("code_expiration_minutes")
    url = f"https://www.whatsapp.com/otp/code/?otp_type={kind}"
    if minutes is not None:
        if not isinstance(minutes, int) or not 1 <= minutes <= 90:
            raise GraphError(100, "Param code_expiration_minutes must be an integer from 1 to 90.")
        footer = {"type": "FOOTER", "text": f"This code expires in {minutes} minutes."}
        made.append(footer | {"code_expiration_minutes": minutes})
        url += f"&code_expiration_minutes={minutes}"
    otp = seed_templates.otp_button(str(button.get("text") or "Copy code"), url + "&code=otp{{1}}")
    made.append({"type": "BUTTONS", "buttons": [otp]})
    return made
