"""Addresses of the billing room."""

from django.urls import path

from billing import dashboard, dashboard_return, whatsapi
from billing.receivers import StripeCallback

urlpatterns = [
    path("billing/checkout", whatsapi.Checkout.as_view()),
    path("billing/portal", whatsapi.Portal.as_view()),
    path("billing/usage", whatsapi.Usage.as_view()),
    path("app/billing", dashboard.Billing.as_view()),
    path("billing/return", dashboard_return.returned),
    path("webhooks/stripe", StripeCallback.as_view()),
]
