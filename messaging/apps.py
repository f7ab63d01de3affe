"""Django app of messaging."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Messages, their timeline, contacts, templates."""

    name = "messaging"

    def ready(self) -> None:
        """Let customers be told when a number that was held goes on."""
        from accounts import connections
        from messaging.status import webhook_events

        connections.when_resumed.append(webhook_events.number_resumed)
