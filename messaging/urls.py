"""Addresses of the messaging room."""

from django.urls import path

from messaging import (
    mojeeb,
    mojeeb_lint,
    mojeeb_manage,
    mojeeb_reading,
    mojeeb_templates,
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
    path("v1/whatsapp/messages", mojeeb.SendText.as_view()),
    path("v1/whatsapp/messages/lookup", mojeeb_reading.Lookup.as_view()),
    path("v1/whatsapp/messages/<str:message_id>", mojeeb_reading.MessageStatus.as_view()),
    path("v1/whatsapp/templates", mojeeb_templates.Templates.as_view()),
    path("v1/whatsapp/templates/lint", mojeeb_lint.LintTemplates.as_view()),
    path("v1/whatsapp/templates/examples", mojeeb_manage.UploadExample.as_view()),
    path("v1/whatsapp/templates/manage", mojeeb_manage.CreateTemplate.as_view()),
    path("v1/whatsapp/templates/manage/<str:template_id>", mojeeb_manage.ManageTemplate.as_view()),
]
