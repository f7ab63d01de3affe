"""The document against the service: every operation answers what it says it answers, whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.api import views
from accounts.models import Account, Number
from config.wsgi import application
from messaging import suppressions
from messaging.models import Batch, Message, Status, Suppression
from tests import factories
from tests.support.v1 import PHONE
from webhooks.models import Delivery
from webhooks.outgoing import delivery_log, endpoints

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: how many requests each operation gets of each mode
EXAMPLES = 12


#: what cannot succeed here, because no Meta or Stripe listens: 503 is the documented answer and no fault
NEEDS_META = {
    "POST /media",
    "POST /v1/whatsapp/templates/examples",
    "POST /v1/whatsapp/templates/manage",
    "PATCH /v1/whatsapp/templates/manage/{template_id}",
    "DELETE /v1/whatsapp/templates/manage/{template_id}",
    "POST /billing/checkout",
    "GET /billing/portal",
}


#: what a template may hold, and which values fit it, is Meta's to say and not the document's
TEMPLATES_OF: dict[str, dict[str, Any]] = {
    "/v1/whatsapp/templates": {"name": "hello_world", "language": "en_US"},
    "/v1/whatsapp/templates/lint": {"components": [{"type": "BODY", "text": "Hello"}]},
}


@cache
def _schema() -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", application)


def _operations() -> list[str]:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return [f"{method.upper()} {path}" for path, item in paths.items() for method in item]


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Keep the test's own connection through the requests, as Django's test client does."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.fixture
def real(pro: Account, message: Message, number: Number) -> dict[str, str]:
    """Names that lead somewhere, by path parameter; a made-up id only ever finds a 404."""
    Number.objects.filter(pk=number.pk).update(
        status=Number.Status.ACTIVE, display_phone=PHONE[1:], waba_id=""
    )
    batch = Batch.objects.create(account=pro, total=1, created_at=timezone.now())
    suppressions.suppress(pro.pk, "14155550000", reason=Suppression.Reason.MANUAL)
    v1 = factories.make_message(pro, source=Message.Source.V1, connection=number, agent_id=number.agent_id)
    endpoint, _ = endpoints.create(pro, endpoints.Given(url="https://hooks.example.com/"))
    test = delivery_log.send_test(pro, endpoint.pk)
    Delivery.objects.filter(pk=test.pk).update(status=Delivery.Status.FAILED, due_at=None)
    return {
        "endpoint_id": str(endpoint.pk),
        "delivery_id": str(test.pk),
        "message_id": str(message.pk),
        "batch_id": str(batch.pk),
        "phone": "14155550000",
        "agent_id": str(number.agent_id),
        "v1 message_id": str(v1.pk),
    }


@pytest.mark.parametrize("label", _operations())
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "wild"])
def test_every_operation_answers_as_documented(
    label: str,
    mode: GenerationMode,
    pro: Account,
    message: Message,
    real: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(views, "REGISTRATIONS_PER_MINUTE", factories.PLENTY)
    method, path = label.split()
    if path.endswith("/retry"):
        Message.objects.filter(pk=message.pk).update(status=Status.FAILED, due_at=None, dry_run=True)
    operation = _schema()[path][method]
    key = factories.make_key(pro, rate_limit_per_minute=factories.PLENTY)[1]
    seen: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), ours=st.booleans())
    def ask(case: Any, ours: bool) -> None:
        bearer = key
        if ours:
            spare, text = factories.make_key(pro, rate_limit_per_minute=factories.PLENTY)
            names = {**real, "key_id": str(spare.pk)}
            if path.startswith("/v1/"):
                names["message_id"] = names["v1 message_id"]
                _address(case.body, real)
                if path in TEMPLATES_OF and isinstance(case.body, dict):
                    case.body["template"] = TEMPLATES_OF[path]
            for name, value in names.items():
                if name in (case.path_parameters or {}):
                    case.path_parameters[name] = value
            if path == "/messages/bulk" and isinstance(case.body, dict):
                # Many items made by chance are never all in order at once; half of the requests have one.
                case.body["messages"] = [{"to": "14155550000", "message": "Hello"}]
            if path.startswith("/webhook-endpoints") and isinstance(case.body, dict):
                case.body.pop("headers", None)  # a name made by chance is hardly ever one of a header
            if path == "/auth/me/rotate-key":
                bearer = text
        _simulate(case.body)
        response = case.call(headers={"Authorization": f"Bearer {bearer}"})
        seen.add(response.status_code)
        # A documented 503 of what needs Meta is an answer; the other checks still look at it.
        expected = label in NEEDS_META and response.status_code == 503
        case.validate_response(response, checks=CHECKS[1:] if expected else CHECKS)

    ask()
    if mode is GenerationMode.POSITIVE and label not in NEEDS_META:
        assert {status for status in seen if status < 300}, f"only ever answered {seen}"


def _address(body: Any, real: dict[str, str]) -> None:
    """Let a send come from an agent and a number that are there."""
    if isinstance(body, dict) and "from" in body:
        body |= {"agent_id": real["agent_id"], "from": PHONE}


def _simulate(body: Any) -> None:
    if isinstance(body, dict):
        for one in [body, *(body["messages"] if isinstance(body.get("messages"), list) else [])]:
            if isinstance(one, dict) and "to" in one and "dry_run" not in one:
                one["dry_run"] = True
