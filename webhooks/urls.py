"""Addresses of the webhooks room."""

from django.urls import path

from webhooks import dashboard, whatsapi_events
from webhooks.receivers import MetaCallback

urlpatterns = [
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
    path("webhooks/whatsapp", MetaCallback.as_view()),
    path("webhooks/whatsapp/<str:callback_key>", MetaCallback.as_view()),
]
