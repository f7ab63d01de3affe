"""The project as a Django app, so that its checks and commands are found."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Registers the system checks."""

    name = "config"

    def ready(self) -> None:
        """Import the checks for their side effect, and the Celery app that wake-ups are sent with."""
        from config import celery, checks  # noqa: F401
