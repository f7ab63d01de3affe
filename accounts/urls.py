"""Addresses of the accounts room."""

from django.urls import path

from accounts import mojeeb, whatsapi, whatsapi_keys

urlpatterns = [
    path("auth/register", whatsapi.Register.as_view()),
    path("auth/me", whatsapi.Me.as_view()),
    path("auth/me/credentials", whatsapi.Credentials.as_view()),
    path("auth/me/credentials/verify", whatsapi.VerifyCredentials.as_view()),
    path("auth/me/keys", whatsapi_keys.Keys.as_view()),
    path("auth/me/keys/<str:key_id>", whatsapi_keys.KeyDetail.as_view()),
    path("auth/me/onboarding", whatsapi.Onboarding.as_view()),
    path("auth/me/rotate-key", whatsapi.RotateKey.as_view()),
    path("v1/agents", mojeeb.Agents.as_view()),
    path("v1/agents/<str:agent_id>", mojeeb.AgentDetail.as_view()),
]
