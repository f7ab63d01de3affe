"""Addresses of messaging."""

from django.urls import path

from messaging.api.classic import account as classic_account
from messaging.api.classic import media
from messaging.api.classic import messages as classic_messages
from messaging.api.classic import reading as classic_reading
from messaging.api.classic import suppressions as classic_suppressions
from messaging.api.v1 import agents as v1_agents
from messaging.api.v1 import lint, manage_templates
from messaging.api.v1 import messages as v1_messages
from messaging.api.v1 import reading as v1_reading
from messaging.api.v1 import templates as v1_templates
from messaging.dashboard import compose, conversations, export, home, log, many, numbers, setup, template_new
from messaging.dashboard import messages as dashboard_messages
from messaging.dashboard import suppressions as dashboard_suppressions
from messaging.dashboard import templates as dashboard_templates
from messaging.inbound.meta_endpoint import MetaCallback

# In the order of how often they are asked for: addresses are tried one after the other.
urlpatterns = [
    path("webhooks/whatsapp", MetaCallback.as_view()),
    path("webhooks/whatsapp/<slug:callback_key>", MetaCallback.as_view()),
    path("send-message", classic_messages.SendMessage.as_view()),
    path("messages", classic_reading.MessageList.as_view()),
    path("messages/bulk", classic_messages.SendBulk.as_view()),
    path("messages/export", classic_reading.Export.as_view()),
    path("messages/batches/<str:batch_id>", classic_reading.BatchDetail.as_view()),
    path("messages/<str:message_id>", classic_reading.MessageDetail.as_view()),
    path("messages/<str:message_id>/retry", classic_messages.RetryMessage.as_view()),
    path("messages/<str:message_id>/cancel", classic_messages.CancelMessage.as_view()),
    path("media", media.Media.as_view()),
    path("suppressions", classic_suppressions.Suppressions.as_view()),
    path("suppressions/<str:phone>", classic_suppressions.SuppressionDetail.as_view()),
    path("auth/register", classic_account.Register.as_view()),
    path("auth/me", classic_account.Me.as_view()),
    path("auth/me/credentials", classic_account.Credentials.as_view()),
    path("auth/me/credentials/verify", classic_account.VerifyCredentials.as_view()),
    path("auth/me/onboarding", classic_account.Onboarding.as_view()),
    path("auth/me/rotate-key", classic_account.RotateKey.as_view()),
    path("auth/me/test-message", classic_suppressions.TestMessage.as_view()),
    path("analytics/summary", classic_reading.Summary.as_view()),
    path("v1/agents", v1_agents.Agents.as_view()),
    path("v1/agents/<str:agent_id>", v1_agents.AgentDetail.as_view()),
    path("v1/whatsapp/messages", v1_messages.SendText.as_view()),
    path("v1/whatsapp/messages/lookup", v1_reading.Lookup.as_view()),
    path("v1/whatsapp/messages/<str:message_id>", v1_reading.MessageStatus.as_view()),
    path("v1/whatsapp/templates", v1_templates.Templates.as_view()),
    path("v1/whatsapp/templates/lint", lint.LintTemplates.as_view()),
    path("v1/whatsapp/templates/examples", manage_templates.UploadExample.as_view()),
    path("v1/whatsapp/templates/manage", manage_templates.CreateTemplate.as_view()),
    path("v1/whatsapp/templates/manage/<str:template_id>", manage_templates.ManageTemplate.as_view()),
    path("app/agents/<str:agent_id>", numbers.RenameAgent.as_view()),
    path("app/numbers", numbers.Numbers.as_view()),
    path("app/numbers/new", numbers.AddNumber.as_view()),
    path("app/numbers/<str:number_id>", numbers.NumberDetail.as_view()),
    path("app/setup", setup.SetUp.as_view()),
    path("app/setup/connect", setup.Connect.as_view()),
    path("app/setup/check", setup.Check.as_view()),
    path("app/setup/callback", setup.Callback.as_view()),
    path("app/setup/test", setup.Test.as_view()),
    path("app/setup/test/<str:message_id>", setup.TestTimeline.as_view()),
    path("app/setup/next", setup.Next.as_view()),
    path("app", home.Overview.as_view()),
    path("app/messages", dashboard_messages.Messages.as_view()),
    path("app/messages/export", dashboard_messages.Export.as_view()),
    path("app/messages/<str:message_id>", dashboard_messages.MessagePage.as_view()),
    path("app/messages/<str:message_id>/retry", dashboard_messages.Retry.as_view()),
    path("app/messages/<str:message_id>/cancel", dashboard_messages.Cancel.as_view()),
    path("app/batches/<str:batch_id>", dashboard_messages.BatchPage.as_view()),
    path("app/compose", compose.Compose.as_view()),
    path("app/compose/preview", compose.Preview.as_view()),
    path("app/compose/many", many.Many.as_view()),
    path("app/compose/sample.csv", many.Sample.as_view()),
    path("app/templates", dashboard_templates.Templates.as_view()),
    path("app/templates/new", template_new.NewTemplate.as_view()),
    path("app/templates/new/preview", template_new.NewPreview.as_view()),
    path("app/templates/sync", dashboard_templates.Sync.as_view()),
    path("app/templates/<str:template_id>", dashboard_templates.TemplatePage.as_view()),
    path("app/templates/<str:template_id>/change", template_new.ChangeTemplate.as_view()),
    path("app/templates/<str:template_id>/delete", template_new.DeleteTemplate.as_view()),
    path("app/conversations", conversations.Conversations.as_view()),
    path("app/conversations/<str:contact_id>", conversations.Conversation.as_view()),
    path("app/suppressions", dashboard_suppressions.Suppressions.as_view()),
    path("app/suppressions/remove", dashboard_suppressions.Lift.as_view()),
    path("app/log", log.Log.as_view()),
    path("app/settings/export", export.Export.as_view()),
]
