"""Addresses of the webhooks room."""

from django.urls import path

from webhooks.receivers import MetaCallback

urlpatterns = [
    path("webhooks/whatsapp", MetaCallback.as_view()),
    path("webhooks/whatsapp/<str:callback_key>", MetaCallback.as_view()),
]
