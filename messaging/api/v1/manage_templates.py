"""v1 API views of template management: make, change, delete, and upload a header's example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import agents
from accounts.api.views_v1 import V1View
from accounts.authentication import caller, key_of
from accounts.models import Number
from core.errors import Refusal, invalid
from core.http import lookalikes
from core.http.openapi_v1 import IDEMPOTENCY_KEY, V1, answers
from core.http.wire import body_of, content_length
from messaging.api.v1 import schemas, schemas_templates
from messaging.api.v1.base import (
    EXAMPLE,
    REQUIRED,
    Once,
    read_agent_id,
    read_mapping,
    read_phone,
    refuse_lookalikes,
)
from messaging.api.v1.template_shapes import read_name, template_object
from messaging.message_templates import manage as management
from messaging.models import Template

#: the largest example and what a multipart body adds to it
MOST_BYTES = max(management.EXAMPLE_TYPES.values()) + 64 * 1024
_LONGEST_TTL = 2_592_000
_ID = OpenApiParameter("template_id", {"type": "string"}, "path", description="Meta's id, as listed.")
_SENDER = {name: EXAMPLE[name] for name in ("agent_id", "from")}
_BODY = {
    "type": "BODY",
    "text": "Thank you, {{first_name}}! Your order is on its way.",
    "example": {"body_text_named_params": [{"param_name": "first_name", "example": "Sara"}]},
}
_NEW = {
    "name": "order_on_its_way",
    "language": "en",
    "category": "UTILITY",
    "parameter_format": "NAMED",
    "components": [_BODY],
}


class ManagementView(V1View):
    """A key with every scope may change what the account has at Meta; a test key may not."""

    writes = ("*",)

    def allow(self, request: Request) -> None:
        """Refuse as every view here, and a test key: there is no rehearsal for Meta's review."""
        super().allow(request)
        if key_of(request).is_test:
            raise Refusal("insufficient_scope", "A test key changes nothing at Meta.", required_scope="*")


def _number(request: Request, data: Mapping[str, Any]) -> Number:
    agent_id = read_agent_id(data, key_of(request))
    phone = read_phone(data, "from", code="invalid_from_phone")
    account = caller(request)
    if agent_id is None:
        agent_id = agents.default_agent(account).pk
    return agents.number_for(account, key_of(request), agent_id=agent_id, phone=phone)


def _template(request: Request) -> dict[str, Any]:
    refuse_lookalikes(body_of(request), lookalikes.MANAGE_V1)
    template = read_mapping(body_of(request), "template")
    if template is None:
        raise invalid("template", REQUIRED)
    refuse_lookalikes(template, lookalikes.MANAGE_V1, path="template.")
    return template


def _components(template: Mapping[str, Any]) -> list[Any] | None:
    components = template.get("components")
    if components is not None and not isinstance(components, list):
        raise invalid("template.components", "Must be a list.")
    return components


def _word(template: Mapping[str, Any], name: str) -> str | None:
    value = template.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"template.{name}", "Must be a string.")
    return value.upper() if value else None


class CreateTemplate(ManagementView):
    """``POST /v1/whatsapp/templates/manage``."""

    max_body_bytes = 512 * 1024

    @extend_schema(
        operation_id="createWhatsAppTemplate",
        summary="Create a template",
        tags=[V1.TEMPLATES],
        request=schemas_templates.NewTemplateBody,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(201, schemas.TemplateObjectV1, 409),
        examples=[OpenApiExample("Named", _SENDER | {"template": _NEW}, request_only=True)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Meta reviews it: `status` is PENDING until then. A second one of the same name and language is
        refused by Meta, so trying again after a lost answer makes no twin.
        """
        once = Once(request)
        if (earlier := once.given()) is not None:
            return earlier
        made = template_object(self._create(request))  # asks Meta, so before the transaction
        with once.first() as creating:
            if creating.is_first:
                creating.respond(201, made)
        return once.response(creating.answer)

    def _create(self, request: Request) -> Template:
        number = _number(request, body_of(request))
        template = _template(request)
        name, language = read_name(template)
        ttl = template.get("message_send_ttl_seconds")
        if ttl is not None and (
            not isinstance(ttl, int) or isinstance(ttl, bool) or not -1 <= ttl <= _LONGEST_TTL
        ):
            raise invalid("template.message_send_ttl_seconds", "Must be a number of seconds, or -1.")
        return management.create(
            number,
            name=name,
            language=language,
            category=_word(template, "category") or "",
            components=_components(template) or [],
            parameter_format=_word(template, "parameter_format"),
            ttl_seconds=ttl,
        )


class ManageTemplate(ManagementView):
    """``GET``, ``PATCH`` and ``DELETE /v1/whatsapp/templates/manage/{id}``."""

    max_body_bytes = 512 * 1024

    def _find(self, request: Request, template_id: str) -> tuple[Template, Number]:
        return management.find(caller(request), template_id, key_of(request).agent_ids)

    @extend_schema(
        operation_id="editWhatsAppTemplate",
        summary="Edit a template",
        tags=[V1.TEMPLATES],
        request=schemas_templates.EditTemplateBody,
        parameters=[_ID],
        responses=answers(200, schemas.TemplateObjectV1, 404, 409),
        examples=[OpenApiExample("New words", {"template": {"components": [_BODY]}}, request_only=True)],
    )
    def patch(self, request: Request, template_id: str) -> Response:
        """Replaces the whole list of components, or the category. The template goes back to review; an
        approved one may be edited once a day and ten times a month, says Meta.
        """
        template = _template(request)
        found, number = self._find(request, template_id)
        made = management.edit(
            number, found, components=_components(template), category=_word(template, "category")
        )
        return Response(template_object(made))

    @extend_schema(
        operation_id="deleteWhatsAppTemplate",
        summary="Delete a template",
        tags=[V1.TEMPLATES],
        parameters=[_ID],
        responses=answers(204, None, 404, body=False),
    )
    def delete(self, request: Request, template_id: str) -> Response:
        """One language of it. The name of an approved template stays taken for 30 days."""
        found, number = self._find(request, template_id)
        management.delete(number, found)
        return Response(status=204)


class UploadExample(ManagementView):
    """``POST /v1/whatsapp/templates/examples``."""

    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="uploadWhatsAppTemplateExample",
        summary="Upload the example of a media header",
        tags=[V1.TEMPLATES],
        request={"multipart/form-data": schemas_templates.ExampleBody},
        responses=answers(201, schemas_templates.ExampleObject),
    )
    def post(self, request: Request) -> Response:
        """Meta wants to see an example with each IMAGE, VIDEO or DOCUMENT header. Sends without a
        `header_media_url` show it.
        """
        if content_length(request) > MOST_BYTES:
            raise Refusal("body_too_large", f"The body is larger than {MOST_BYTES} bytes.")
        form = request.POST
        number = _number(request, {name: form.get(name) for name in ("agent_id", "from")})
        file = request.FILES.get("file")
        if not isinstance(file, UploadedFile) or file.file is None:
            raise invalid("file", "Send the file as multipart/form-data in a part named file.")
        handle = management.upload_example(
            number,
            file=file.file,
            name=file.name or "example",
            mime_type=(file.content_type or "").lower(),
            size=file.size or 0,
        )
        return Response({"handle": handle}, status=201)
