"""Addresses of the accounts room."""

from django.urls import path

from accounts import dashboard, whatsapi, whatsapi_keys

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
]
