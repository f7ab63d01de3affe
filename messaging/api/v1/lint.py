"""v1 API views of the linter: what would Meta refuse of these values, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views_v1 import READ, SEND, V1View
from accounts.authentication import caller, key_of
from core.errors import Refusal, invalid
from core.http.openapi_v1 import V1, answers
from core.http.wire import body_of
from messaging.api.lint_shapes import finding_object, known, missing, state_of
from messaging.api.v1 import schemas_templates
from messaging.api.v1.base import REQUIRED, read_mapping, read_text
from messaging.api.v1.template_shapes import read_name, read_values
from messaging.compose import approved
from messaging.compose.drafts import FilledTemplate
from messaging.message_templates import lint

MOST_ROWS = 1_000


class LintTemplates(V1View):
    """``POST /v1/whatsapp/templates/lint``."""

    writes = (SEND, READ)  # it changes nothing

    max_body_bytes = 2 * 1024 * 1024
    max_keys = 100_000
    max_values = 200_000

    @extend_schema(
        operation_id="lintWhatsAppTemplate",
        summary="Check values before sending",
        tags=[V1.TEMPLATES],
        request=schemas_templates.LintBody,
        responses=answers(200, schemas_templates.Linted),
        examples=[
            OpenApiExample(
                "Two rows",
                {
                    "template": {"name": "order_shipped", "language": "en"},
                    "rows": [
                        {"parameters": {"customer_name": "Sara", "tracking_url": "https://example.com/t/A1"}},
                        {"parameters": {"customer_name": "Ali\nBaba"}},
                    ],
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Every fault of every row at once, each row rendered. Nothing is sent and no quota is used.

        Give `template.components` instead of a name to check a template that is not at Meta yet.
        """
        data = body_of(request)
        template = read_mapping(data, "template")
        if template is None:
            raise invalid("template", REQUIRED)
        rows = _rows(data, template)
        if template.get("components") is not None:
            return Response(_given(template, rows))
        name, language = read_name(template)
        account = caller(request)
        found = known(account, name, language, key_of(request).agent_ids)
        about: dict[str, Any] = {"name": name, "language": language}
        if found is None:
            about |= {"status": None, "category": None}
            return Response(_answer(about, [missing(account, name, language)], []))
        parts = approved.read(found.components, found.parameter_format)
        about |= {"status": found.status, "category": found.category}
        checked = _check(parts, rows, is_authentication=found.category == "AUTHENTICATION")
        return Response(_answer(about, state_of(found), checked))


def _given(template: Mapping[str, Any], rows: list[Any]) -> dict[str, Any]:
    components = template["components"]
    if not isinstance(components, list) or not all(isinstance(one, dict) for one in components):
        raise invalid("template.components", "Must be a list of objects.")
    category = template.get("category")
    if category is not None:
        category = read_text(template, "category", path="template.category", longest=30)
    parts = approved.read(components, str(template.get("parameter_format") or ""))
    about = {"name": None, "language": None, "status": None, "category": category}
    return _answer(about, [], _check(parts, rows, is_authentication=category == "AUTHENTICATION"))


def _rows(data: Mapping[str, Any], template: Mapping[str, Any]) -> list[Any]:
    rows = data.get("rows")
    if rows is None:
        return [template]  # the values stand where a send has them
    if not isinstance(rows, list) or not rows or len(rows) > MOST_ROWS:
        raise invalid("rows", f"Must be a list of 1 to {MOST_ROWS} objects.")
    return rows


def _check(parts: approved.Approved, rows: list[Any], *, is_authentication: bool) -> list[lint.Row]:
    checked: list[lint.Row] = []
    for row in rows:
        try:
            what = _read(row)
        except Refusal as fault:
            checked.append(lint.Row((lint.as_finding(fault),), None))
        else:
            checked += lint.lint_rows(parts, [what], is_authentication=is_authentication)
    return checked


def _read(row: Any) -> FilledTemplate:
    if not isinstance(row, dict):
        raise invalid("template", "Must be an object of values.")
    return read_values(row, "", "")


def _answer(about: dict[str, Any], findings: list[lint.Finding], rows: list[lint.Row]) -> dict[str, Any]:
    fine = all(row.is_valid for row in rows) and not any(one.is_error for one in findings)
    return {
        "valid": fine,
        "template": about,
        "findings": [finding_object(one) for one in findings],
        "rows": [
            {
                "index": index,
                "valid": row.is_valid,
                "findings": [finding_object(one) for one in row.findings],
                "preview": row.preview.as_dict() if row.preview else None,
            }
            for index, row in enumerate(rows)
        ],
    }
