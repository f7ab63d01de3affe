"""Addresses of accounts."""

from django.urls import path

from accounts.api.classic import keys as classic_keys
from accounts.dashboard import keys, settings, sign_in, team

urlpatterns = [
    path("auth/me/keys", classic_keys.Keys.as_view()),
    path("auth/me/keys/<str:key_id>", classic_keys.KeyDetail.as_view()),
    path("app/start", sign_in.Start.as_view()),
    path("app/switch", sign_in.Switch.as_view()),
    path("app/join/<str:secret>", team.Join.as_view()),
    path("app/keys", keys.Keys.as_view()),
    path("app/keys/<str:key_id>/revoke", keys.Revoke.as_view()),
    path("app/team", team.Team.as_view()),
    path("app/team/<int:membership_id>", team.Member.as_view()),
    path("app/team/invitations/<str:invitation_id>", team.Withdraw.as_view()),
    path("app/settings", settings.Settings.as_view()),
    path("app/settings/close", settings.Close.as_view()),
    path("app/profile", settings.Profile.as_view()),
]
