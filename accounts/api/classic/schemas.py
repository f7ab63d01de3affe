"""OpenAPI shapes of accounts in the classic API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.credentials import APP_SECRET, META_ID, TOKEN


class RegisterBody(serializers.Serializer[Any]):
    """What ``POST /auth/register`` takes."""

    name = serializers.CharField(min_length=1, max_length=200, help_text="Your name or company name.")
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(
        required=False, max_length=200, help_text="Optional: lets you sign in to the dashboard."
    )


class Registered(serializers.Serializer[Any]):
    """A new account."""

    apiKey = serializers.RegexField(r"^sk_live_[0-9a-f]{48}$", help_text="Shown once.")
    plan = serializers.CharField()


class Me(serializers.Serializer[Any]):
    """An account."""

    name = serializers.CharField()
    email = serializers.CharField()
    plan = serializers.ChoiceField(["free", "basic", "pro", "enterprise"])
    messagesSent = serializers.IntegerField(
        help_text="Messages that WhatsApp accepted, ever; each once, however often retried."
    )
    byocConfigured = serializers.BooleanField(help_text="Whether Meta credentials are saved.")
    webhookUrl = serializers.CharField(allow_null=True)


class CredentialsBody(serializers.Serializer[Any]):
    """Meta credentials."""

    whatsappAccessToken = serializers.RegexField(f"^{TOKEN.pattern}$", help_text="EAA…")
    whatsappPhoneNumberId = serializers.RegexField(f"^{META_ID.pattern}$")
    whatsappBusinessAccountId = serializers.RegexField(
        f"^{META_ID.pattern}$", required=False, help_text="Lets us list your templates."
    )
    whatsappAppSecret = serializers.RegexField(
        f"^{APP_SECRET.pattern}$",
        required=False,
        help_text="The App Secret of your Meta app: proves that callbacks come from Meta.",
    )


def warnings() -> serializers.ListField:
    """Return the member that is there when something should be known."""
    return serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Only when there is one: what keeps this from working as one would expect.",
    )


class CredentialsSaved(serializers.Serializer[Any]):
    """Saved; the token is not given back."""

    byocConfigured = serializers.BooleanField()
    whatsappPhoneNumberId = serializers.CharField()
    verified = serializers.BooleanField()
    callbackUrl = serializers.CharField(help_text="Paste into your Meta app under WhatsApp > Configuration.")
    verifyToken = serializers.CharField(help_text="Paste beside it.")
    warnings = warnings()


class CredentialsRemoved(serializers.Serializer[Any]):
    """Removed."""

    byocConfigured = serializers.BooleanField()


class CheckLine(serializers.Serializer[Any]):
    """One line of the diagnosis."""

    check = serializers.ChoiceField(
        [
            *("token", "token_kind", "token_expiry", "scopes", "phone_number", "waba", "webhook"),
            *("registration", "quality", "health", "callback", "app_secret"),
        ]
    )
    ok = serializers.BooleanField(allow_null=True, help_text="null: could not be checked.")
    message = serializers.CharField()
    fix = serializers.CharField(allow_null=True)
    code = serializers.IntegerField(allow_null=True, help_text="Meta's error code.")


class Verification(serializers.Serializer[Any]):
    """What Meta says of the credentials."""

    verified = serializers.BooleanField()
    phoneNumber = serializers.CharField(allow_null=True)
    verifiedName = serializers.CharField(allow_null=True)
    whatsappBusinessAccountId = serializers.CharField(allow_null=True)
    checks = CheckLine(many=True)
    warnings = warnings()


class RotatedKey(serializers.Serializer[Any]):
    """A new key."""

    apiKey = serializers.RegexField(r"^sk_live_[0-9a-f]{48}$", help_text="Shown once.")


class RotateBody(serializers.Serializer[Any]):
    """Optional: how long the old key works on."""

    graceSeconds = serializers.IntegerField(required=False, min_value=0, max_value=604_800)


class OnboardingBody(serializers.Serializer[Any]):
    """Any small object."""


class OnboardingState(serializers.Serializer[Any]):
    """What was stored."""

    onboarding = serializers.DictField()


class KeyBody(serializers.Serializer[Any]):
    """A new key."""

    name = serializers.CharField(min_length=1, max_length=100)
    kind = serializers.ChoiceField(["live", "test"], required=False)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(["whatsapp:send", "whatsapp:read", "*"]),
        required=False,
        min_length=1,
        help_text="What the key may do; absent: everything.",
    )
    rateLimitPerMinute = serializers.IntegerField(required=False, min_value=1, max_value=10_000)
    expiresAt = serializers.DateTimeField(
        required=False, help_text="In the future. Without an offset: a time in `timezone`, else UTC."
    )
    timezone = serializers.CharField(required=False, help_text="An IANA time zone such as Europe/Berlin.")


class KeyObject(serializers.Serializer[Any]):
    """A key, without what must not be shown."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(["live", "test"])
    prefix = serializers.CharField()
    lastFour = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    current = serializers.BooleanField(help_text="Whether this request was made with it.")
    rateLimitPerMinute = serializers.IntegerField(allow_null=True)
    createdAt = serializers.DateTimeField()
    lastUsedAt = serializers.DateTimeField(allow_null=True)
    expiresAt = serializers.DateTimeField(allow_null=True)


class NewKey(KeyObject):
    """A key at the only moment when it is shown."""

    apiKey = serializers.CharField(help_text="Shown once.")


class RevokedKey(serializers.Serializer[Any]):
    """The key does not work any more."""

    id = serializers.UUIDField()
    revoked = serializers.BooleanField()
