"""The accounts room as a Django app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts, users, keys, agents, connections."""

    name = "accounts"
