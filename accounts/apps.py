"""Django app of accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts, users, keys, agents, numbers."""

    name = "accounts"

    def ready(self) -> None:
        """Register the checks that need the tables."""
        from accounts import staff  # noqa: F401
