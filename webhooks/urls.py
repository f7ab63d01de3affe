"""Addresses of the webhooks room."""

from django.urls import path

from webhooks import dashboard, whatsapi_deliveries, whatsapi_endpoints, whatsapi_events
from webhooks.receivers import MetaCallback

_ENDPOINT = "webhook-endpoints/<str:endpoint_id>"

urlpatterns = [
    path("webhooks/whatsapp", MetaCallback.as_view()),
    path("webhooks/whatsapp/<slug:callback_key>", MetaCallback.as_view()),
    path("auth/me/webhook", whatsapi_endpoints.Webhook.as_view()),
    path("webhook-endpoints", whatsapi_endpoints.Endpoints.as_view()),
    path(_ENDPOINT, whatsapi_endpoints.EndpointDetail.as_view()),
    path(f"{_ENDPOINT}/rotate-secret", whatsapi_endpoints.RotateSecret.as_view()),
    path(f"{_ENDPOINT}/deliveries", whatsapi_deliveries.Deliveries.as_view()),
    path(f"{_ENDPOINT}/deliveries/<str:delivery_id>", whatsapi_deliveries.DeliveryDetail.as_view()),
    path(f"{_ENDPOINT}/deliveries/<str:delivery_id>/replay", whatsapi_deliveries.Replay.as_view()),
    path(f"{_ENDPOINT}/replay", whatsapi_deliveries.ReplayRange.as_view()),
    path(f"{_ENDPOINT}/test", whatsapi_deliveries.SendTest.as_view()),
    path("events", whatsapi_events.Events.as_view()),
    path("app/webhooks", dashboard.Webhooks.as_view()),
    path("app/webhooks/<str:endpoint_id>", dashboard.EndpointPage.as_view()),
    path("app/webhooks/<str:endpoint_id>/test", dashboard.Test.as_view()),
    path("app/webhooks/<str:endpoint_id>/switch", dashboard.Switch.as_view()),
    path("app/webhooks/<str:endpoint_id>/rotate", dashboard.Rotate.as_view()),
    path("app/webhooks/<str:endpoint_id>/remove", dashboard.Remove.as_view()),
    path("app/webhooks/<str:endpoint_id>/replay", dashboard.ReplayMissed.as_view()),
    path("app/webhooks/<str:endpoint_id>/<str:delivery_id>", dashboard.DeliveryPage.as_view()),
    path("app/webhooks/<str:endpoint_id>/<str:delivery_id>/replay", dashboard.Replay.as_view()),
]
