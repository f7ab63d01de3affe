"""Addresses of the accounts room."""

from django.urls import path

from accounts import whatsapi

urlpatterns = [
    path("auth/register", whatsapi.Register.as_view()),
    path("auth/me", whatsapi.Me.as_view()),
    path("auth/me/credentials", whatsapi.Credentials.as_view()),
    path("auth/me/credentials/verify", whatsapi.VerifyCredentials.as_view()),
    path("auth/me/rotate-key", whatsapi.RotateKey.as_view()),
]
