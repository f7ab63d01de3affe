"""The billing room as a Django app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Plans today; subscriptions when Stripe moves in."""

    name = "billing"
