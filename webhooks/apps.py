"""Django app of webhooks."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """The inbox of callbacks."""

    name = "webhooks"
