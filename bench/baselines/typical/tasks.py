"""The typical gateway's sending: one task loads one row, calls Meta, saves."""

import os

import requests
from celery import Celery
from django.utils import timezone

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.baselines.typical.settings")

app = Celery("typical")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(bind=True, max_retries=5)
def send_message(self, message_id: int) -> None:
    """Send one message."""
    from django.conf import settings

    from bench.baselines.typical.models import Message

    message = Message.objects.get(pk=message_id)
    try:
        response = requests.post(
            f"{settings.META_URL}/v25.0/{message.phone_number_id}/messages",
            json={
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": message.to,
                "type": "text",
                "text": {"body": message.body},
                "biz_opaque_callback_data": f"typical:{message.pk}",
            },
            headers={"Authorization": "Bearer token"},
            timeout=20,
        )
        response.raise_for_status()
    except requests.RequestException as error:
        raise self.retry(exc=error, countdown=5) from error
    message.wamid = response.json()["messages"][0]["id"]
    message.status = "sent"
    message.sent_at = timezone.now()
    message.save()
