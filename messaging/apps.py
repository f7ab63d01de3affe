"""The messaging room as a Django app."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Messages, their timeline, contacts, templates."""

    name = "messaging"
