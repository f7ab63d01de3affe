"""Addresses of the webhooks room."""

from django.urls import path

from webhooks import whatsapi_events
from webhooks.receivers import MetaCallback

urlpatterns = [
    path("events", whatsapi_events.Events.as_view()),
    path("webhooks/whatsapp", MetaCallback.as_view()),
    path("webhooks/whatsapp/<str:callback_key>", MetaCallback.as_view()),
]
