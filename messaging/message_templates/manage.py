"""Templates made, changed and deleted at Meta. Meta reviews them; the verdict comes by callback.

Every function calls Meta and belongs outside a transaction. What Meta keeps is read back and stored, so
that the new state is seen at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import IO, Any

from django.utils import timezone

from accounts.models import Account, Number
from accounts.vault import CannotOpen
from core.errors import Refusal, invalid
from messaging.compose import filetypes
from messaging.compose.drafts import TEMPLATE_NAME
from messaging.message_templates import store as template_store
from messaging.meta.codes import Outcome
from messaging.meta.credentials import NUMERIC_ID
from messaging.meta.graph import GraphError, GraphUnreachable
from messaging.meta.template_graph import TemplateGraph
from messaging.models import Template

CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")
FORMATS = ("POSITIONAL", "NAMED")
#: what a template's example may be, and how large (Meta's limits; videos and documents up to 16 MB here)
EXAMPLE_TYPES = {
    "image/jpeg": 5 * 1024 * 1024,
    "image/png": 5 * 1024 * 1024,
    "video/mp4": 16 * 1024 * 1024,
    "application/pdf": 16 * 1024 * 1024,
}
#: statuses that Meta lets be edited
EDITABLE = ("APPROVED", "REJECTED", "PAUSED")
NOT_FOUND = "No template found with this id."
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2,4})?")
_THROTTLES = (Outcome.THROTTLE_ACCOUNT, Outcome.THROTTLE_NUMBER, Outcome.RETRY, Outcome.UNKNOWN)
_BUSY_SECONDS = 60


def find(
    account: Account, template_id: str, agent_ids: Sequence[str] | None = None
) -> tuple[Template, Number]:
    """Return a template by Meta's id with a number to manage it through.

    ``agent_ids``: only through these agents' numbers. Raises ``Refusal`` (``template_not_found``).
    """
    if not NUMERIC_ID.fullmatch(template_id):
        raise Refusal("template_not_found", NOT_FOUND)
    row = Template.objects.filter(account=account, meta_id=template_id).exclude(status="DELETED").first()
    live = account.connections.filter(removed_at=None, waba_id=row.waba_id if row else "-")
    if agent_ids is not None:
        live = live.filter(agent_id__in=agent_ids)
    number = min(live, key=lambda one: one.status != Number.Status.ACTIVE, default=None)
    if row is None or number is None:
        raise Refusal("template_not_found", NOT_FOUND)
    return row, number


def create(
    number: Number,
    *,
    name: str,
    language: str,
    category: str,
    components: Sequence[Any],
    parameter_format: str | None = None,
    ttl_seconds: int | None = None,
) -> Template:
    """Hand a template in for review.

    ``ttl_seconds`` is how long Meta keeps trying to deliver it. Raises ``Invalid`` for a field that cannot
    be right and ``Refusal`` for what Meta answers: ``template_refused_by_meta`` (with Meta's reason),
    ``credentials_refused_by_meta``, ``upstream_unavailable``.
    """
    if not TEMPLATE_NAME.fullmatch(name):
        raise invalid("template.name", "Must be lower-case letters, digits and underscores, at most 512.")
    if not _LANGUAGE.fullmatch(language):
        raise invalid("template.language", "Must be a language code of Meta's, for example en or en_US.")
    if category not in CATEGORIES:
        raise invalid("template.category", f"Must be one of: {', '.join(CATEGORIES)}.")
    if parameter_format is not None and parameter_format not in FORMATS:
        raise invalid("template.parameter_format", f"Must be one of: {', '.join(FORMATS)}.")
    body: dict[str, Any] = {
        "name": name,
        "language": language,
        "category": category,
        "components": _checked(components),
    }
    if parameter_format is not None:
        body["parameter_format"] = parameter_format
    if ttl_seconds is not None:
        body["message_send_ttl_seconds"] = ttl_seconds
    with _calling(number) as graph:
        made = graph.create_template(number.waba_id, body)
        return _stored(number, graph, str(made.get("id") or ""), body | made)


def edit(
    number: Number,
    template: Template,
    *,
    components: Sequence[Any] | None = None,
    category: str | None = None,
) -> Template:
    """Replace a template's components, its category or both; it goes back to review.

    Raises ``Refusal`` (``conflict``) in a state that Meta does not let be edited, and as ``create``.
    """
    if components is None and category is None:
        raise invalid("template", "Send components or category.")
    if category is not None and category not in CATEGORIES:
        raise invalid("template.category", f"Must be one of: {', '.join(CATEGORIES)}.")
    changes: dict[str, Any] = {}
    if components is not None:
        changes["components"] = _checked(components)
    if category is not None and category != template.category:
        if template.status == template_store.APPROVED:
            raise Refusal("conflict", "Meta does not let the category of an approved template be changed.")
        changes["category"] = category
    if not changes:
        return template
    if template.status not in EDITABLE:
        raise Refusal(
            "conflict",
            f"This template is {template.status}; only {', '.join(EDITABLE)} ones can be edited.",
        )
    with _calling(number) as graph:
        graph.edit_template(template.meta_id, changes)
        return _stored(number, graph, template.meta_id, template.raw | changes | {"status": "PENDING"})


def delete(number: Number, template: Template) -> None:
    """Delete one language of a template; Meta keeps the name of an approved one taken for 30 days.

    Raises as ``create``.
    """
    with _calling(number) as graph:
        try:
            graph.delete_template(number.waba_id, name=template.name, template_id=template.meta_id)
        except GraphError as error:
            if not _is_gone(graph, template.meta_id):
                raise error from None
    template.delete()


def upload_example(number: Number, *, file: IO[bytes], name: str, mime_type: str, size: int) -> str:
    """Hand Meta the example of a media header; returns the handle for ``example.header_handle``.

    Raises ``Invalid`` (``file``) for a type or size that Meta does not take, and as ``create``.
    """
    if not size:
        raise invalid("file", "The file is empty.")
    mime_type = filetypes.checked(file, name=name, called=mime_type, taken=EXAMPLE_TYPES)
    most = EXAMPLE_TYPES[mime_type]
    if size > most:
        raise invalid("file", f"Must have 1 byte to {most // 1024} kB.")
    safe_name = filetypes.named(name, mime_type, longest=100).replace(" ", "_")
    with _calling(number) as graph:
        app_id = str(graph.debug_token().get("app_id") or "")
        return graph.upload_sample(app_id, name=safe_name, mime_type=mime_type, content=file.read())


def _checked(components: Sequence[Any]) -> list[Any]:
    if not components or not all(
        isinstance(one, dict) and isinstance(one.get("type"), str) for one in components
    ):
        raise invalid("template.components", "Must be a list of at least one object with a type.")
    return list(components)


def _stored(number: Number, graph: TemplateGraph, meta_id: str, given: Mapping[str, Any]) -> Template:
    """Store what Meta keeps of a template; what was sent, where it cannot be read back at once."""
    asked_at = timezone.now()
    try:
        item = graph.template(meta_id)
    except (GraphError, GraphUnreachable):
        item = dict(given)
    template_store.store(number, [item | {"id": meta_id}], asked_at=asked_at)
    return Template.objects.get(account_id=number.account_id, waba_id=number.waba_id, meta_id=meta_id)


def _is_gone(graph: TemplateGraph, meta_id: str) -> bool:
    try:
        graph.template(meta_id)
    except GraphError as error:
        return error.code == 100
    return False


@contextmanager
def _calling(number: Number) -> Iterator[TemplateGraph]:
    """Give the calls of a number; what Meta answers becomes a ``Refusal``."""
    if not number.waba_id:
        raise invalid(
            "from", "No WhatsApp Business Account id is saved for this number, so it has no templates."
        )
    try:
        with closing(template_store.graph_for(number)) as graph:
            yield graph
    except GraphError as error:
        raise _refusal(error) from None
    except GraphUnreachable as error:
        raise Refusal(
            "upstream_unavailable", f"Meta could not be asked: {error.reason}.", retry_after=5
        ) from None
    except (CannotOpen, ValueError):
        raise Refusal(
            "credentials_refused_by_meta", "The saved credentials cannot be used. Save them again."
        ) from None


def _refusal(error: GraphError) -> Refusal:
    if error.meta.outcome is Outcome.HOLD_CREDENTIALS:
        return Refusal("credentials_refused_by_meta", error.meta.tells)
    if error.meta.outcome in _THROTTLES:
        return Refusal("upstream_unavailable", error.meta.tells, retry_after=_BUSY_SECONDS)
    said = error.details or error.message
    return Refusal(
        "template_refused_by_meta",
        error.meta.tells + (f" Meta says: {said}" if said else ""),
        param="template",
    )
