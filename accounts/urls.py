"""Addresses of the accounts room."""

from django.urls import path

from accounts import (
    dashboard,
    dashboard_keys,
    dashboard_settings,
    dashboard_team,
    mojeeb,
    whatsapi,
    whatsapi_keys,
)

urlpatterns = [
    path("auth/register", whatsapi.Register.as_view()),
    path("auth/me", whatsapi.Me.as_view()),
    path("auth/me/credentials", whatsapi.Credentials.as_view()),
    path("auth/me/credentials/verify", whatsapi.VerifyCredentials.as_view()),
    path("auth/me/keys", whatsapi_keys.Keys.as_view()),
    path("auth/me/keys/<str:key_id>", whatsapi_keys.KeyDetail.as_view()),
    path("auth/me/onboarding", whatsapi.Onboarding.as_view()),
    path("auth/me/rotate-key", whatsapi.RotateKey.as_view()),
    path("app/start", dashboard.Start.as_view()),
    path("app/switch", dashboard.Switch.as_view()),
    path("app/join/<str:secret>", dashboard_team.Join.as_view()),
    path("app/keys", dashboard_keys.Keys.as_view()),
    path("app/keys/<str:key_id>/revoke", dashboard_keys.Revoke.as_view()),
    path("app/team", dashboard_team.Team.as_view()),
    path("app/team/<int:membership_id>", dashboard_team.Member.as_view()),
    path("app/team/invitations/<str:invitation_id>", dashboard_team.Withdraw.as_view()),
    path("app/settings", dashboard_settings.Settings.as_view()),
    path("app/settings/export", dashboard_settings.TakeOut.as_view()),
    path("app/settings/close", dashboard_settings.Close.as_view()),
    path("app/profile", dashboard_settings.Profile.as_view()),
    path("v1/agents", mojeeb.Agents.as_view()),
    path("v1/agents/<str:agent_id>", mojeeb.AgentDetail.as_view()),
]
