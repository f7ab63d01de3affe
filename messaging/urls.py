"""Addresses of the messaging room."""

from django.urls import path

from messaging import (
    dashboard,
    dashboard_conversations,
    dashboard_log,
    dashboard_messages,
    dashboard_suppressions,
    whatsapi,
    whatsapi_media,
    whatsapi_reading,
    whatsapi_suppressions,
)

urlpatterns = [
    path("send-message", whatsapi.SendMessage.as_view()),
    path("messages", whatsapi_reading.MessageList.as_view()),
    path("messages/bulk", whatsapi.SendBulk.as_view()),
    path("messages/export", whatsapi_reading.Export.as_view()),
    path("messages/batches/<str:batch_id>", whatsapi_reading.BatchDetail.as_view()),
    path("messages/<str:message_id>", whatsapi_reading.MessageDetail.as_view()),
    path("messages/<str:message_id>/retry", whatsapi.RetryMessage.as_view()),
    path("messages/<str:message_id>/cancel", whatsapi.CancelMessage.as_view()),
    path("media", whatsapi_media.Media.as_view()),
    path("suppressions", whatsapi_suppressions.Suppressions.as_view()),
    path("suppressions/<str:phone>", whatsapi_suppressions.SuppressionDetail.as_view()),
    path("auth/me/test-message", whatsapi_suppressions.TestMessage.as_view()),
    path("analytics/summary", whatsapi_reading.Summary.as_view()),
    path("app", dashboard.Overview.as_view()),
    path("app/messages", dashboard_messages.Messages.as_view()),
    path("app/messages/export", dashboard_messages.Export.as_view()),
    path("app/messages/<str:message_id>", dashboard_messages.MessagePage.as_view()),
    path("app/messages/<str:message_id>/retry", dashboard_messages.Retry.as_view()),
    path("app/messages/<str:message_id>/cancel", dashboard_messages.Cancel.as_view()),
    path("app/batches/<str:batch_id>", dashboard_messages.BatchPage.as_view()),
    path("app/conversations", dashboard_conversations.Conversations.as_view()),
    path("app/conversations/<str:contact_id>", dashboard_conversations.Conversation.as_view()),
    path("app/suppressions", dashboard_suppressions.Suppressions.as_view()),
    path("app/suppressions/remove", dashboard_suppressions.Lift.as_view()),
    path("app/log", dashboard_log.Log.as_view()),
]
