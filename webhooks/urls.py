"""Addresses of webhooks, in both directions."""

from django.urls import path

from webhooks.api.classic import deliveries, events
from webhooks.api.classic import endpoints as classic_endpoints
from webhooks.dashboard import endpoints as dashboard_endpoints
from webhooks.incoming.stripe_endpoint import StripeCallback

_ENDPOINT = "webhook-endpoints/<str:endpoint_id>"

urlpatterns = [
    path("webhooks/stripe", StripeCallback.as_view()),
    path("auth/me/webhook", classic_endpoints.Webhook.as_view()),
    path("webhook-endpoints", classic_endpoints.Endpoints.as_view()),
    path(_ENDPOINT, classic_endpoints.EndpointDetail.as_view()),
    path(f"{_ENDPOINT}/rotate-secret", classic_endpoints.RotateSecret.as_view()),
    path(f"{_ENDPOINT}/deliveries", deliveries.Deliveries.as_view()),
    path(f"{_ENDPOINT}/deliveries/<str:delivery_id>", deliveries.DeliveryDetail.as_view()),
    path(f"{_ENDPOINT}/deliveries/<str:delivery_id>/replay", deliveries.Replay.as_view()),
    path(f"{_ENDPOINT}/replay", deliveries.ReplayRange.as_view()),
    path(f"{_ENDPOINT}/test", deliveries.SendTest.as_view()),
    path("events", events.Events.as_view()),
    path("app/webhooks", dashboard_endpoints.Webhooks.as_view()),
    path("app/webhooks/<str:endpoint_id>", dashboard_endpoints.EndpointPage.as_view()),
    path("app/webhooks/<str:endpoint_id>/test", dashboard_endpoints.Test.as_view()),
    path("app/webhooks/<str:endpoint_id>/switch", dashboard_endpoints.Switch.as_view()),
    path("app/webhooks/<str:endpoint_id>/rotate", dashboard_endpoints.Rotate.as_view()),
    path("app/webhooks/<str:endpoint_id>/remove", dashboard_endpoints.Remove.as_view()),
    path("app/webhooks/<str:endpoint_id>/replay", dashboard_endpoints.ReplayMissed.as_view()),
    path("app/webhooks/<str:endpoint_id>/<str:delivery_id>", dashboard_endpoints.DeliveryPage.as_view()),
    path("app/webhooks/<str:endpoint_id>/<str:delivery_id>/replay", dashboard_endpoints.Replay.as_view()),
]
