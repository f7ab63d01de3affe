"""Addresses of the messaging room."""

from django.urls import path

from messaging import whatsapi

urlpatterns = [
    path("send-message", whatsapi.SendMessage.as_view()),
    path("messages/<str:message_id>", whatsapi.MessageDetail.as_view()),
    path("messages/<str:message_id>/cancel", whatsapi.CancelMessage.as_view()),
]
