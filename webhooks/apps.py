"""The webhooks room as a Django app."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """The inbox of callbacks."""

    name = "webhooks"
