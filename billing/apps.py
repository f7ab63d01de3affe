"""The billing room as a Django app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Plans, quotas, and what Stripe says of them."""

    name = "billing"
