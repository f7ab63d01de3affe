"""Django app of billing."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Plans, quotas, and what Stripe says of them."""

    name = "billing"
