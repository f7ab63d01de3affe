"""Addresses of billing."""

from django.urls import path

from billing.api.classic import views
from billing.dashboard import checkout_return, plan

urlpatterns = [
    path("billing/checkout", views.Checkout.as_view()),
    path("billing/portal", views.Portal.as_view()),
    path("billing/usage", views.Usage.as_view()),
    path("app/billing", plan.Billing.as_view()),
    path("billing/return", checkout_return.returned),
]
