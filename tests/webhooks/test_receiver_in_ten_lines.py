"""The receiver we publish, ten lines with an independent library, believes what our workers deliver."""

from __future__ import annotations

import pytest

from core.secret import Secret
from messaging.models import Status
from tests.factories import api
from tests.support.meta import apply_callbacks, envelope, make_due, post, status_for
from tests.support.processes import free_port
from tests.support.published import receiver, running
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.outgoing import signing
from webhooks.outgoing import worker as delivery_worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("app_secret")]


@pytest.mark.parametrize("language", ["python", "js"])
def test_a_status_of_metas_arrives_and_a_foreign_secret_does_not(alice, number, settings, language):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    port = free_port()
    body = {"url": f"http://127.0.0.1:{port}/hook", "events": ["*"]}
    made = api(alice).post_json("/webhook-endpoints", body).json()["data"]
    message = make_due(number, status=Status.SUBMITTING, metadata={"café": "世界 👋"})[0]
    with running(receiver(language, port), port, Secret(made["secret"])) as process:
        for status in ("sent", "read"):
            post(envelope(number, statuses=[status_for(message, status)]))
            apply_callbacks()
        assert delivery_worker.drain(seconds=20.0, linger=0.35).delivered == 2
        endpoint = Endpoint.objects.get()
        endpoint.seal("secret", signing.new_secret())
        endpoint.save()
        assert api(alice).post_json(f"/webhook-endpoints/{made['id']}/test").status_code < 300
        assert delivery_worker.drain(seconds=20.0, linger=0.35).delivered == 0
    said = process.stdout.read().decode()
    assert said.count("message.status_updated") == 2
    assert "世界 👋" in said
    assert "webhook.test" not in said
    assert Delivery.objects.filter(status=Delivery.Status.PENDING).count() == 1
    assert list(Attempt.objects.order_by("pk").values_list("status", flat=True))[:2] == [204, 204]
