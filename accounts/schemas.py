"""The shapes of the accounts face, for OpenAPI."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


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
    messagesSent = serializers.IntegerField(help_text="Messages that WhatsApp accepted, ever.")
    byocConfigured = serializers.BooleanField(help_text="Whether Meta credentials are saved.")
    webhookUrl = serializers.CharField(allow_null=True)


class CredentialsBody(serializers.Serializer[Any]):
    """Meta credentials."""

    whatsappAccessToken = serializers.RegexField(r"^[!-~]{20,2000}$", help_text="EAA…")
    whatsappPhoneNumberId = serializers.RegexField(r"^[0-9]{5,20}$")
    whatsappBusinessAccountId = serializers.RegexField(
        r"^[0-9]{5,20}$", required=False, help_text="Lets us list your templates."
    )
    whatsappAppSecret = serializers.RegexField(
        r"^[!-~]{8,200}$",
        required=False,
        help_text="The App Secret of your Meta app: proves that callbacks come from Meta.",
    )


class CredentialsSaved(serializers.Serializer[Any]):
    """Saved; the token is not given back."""

    byocConfigured = serializers.BooleanField()
    whatsappPhoneNumberId = serializers.CharField()
    verified = serializers.BooleanField()
    callbackUrl = serializers.CharField(help_text="Paste into your Meta app under WhatsApp > Configuration.")
    verifyToken = serializers.CharField(help_text="Paste beside it.")


class CredentialsRemoved(serializers.Serializer[Any]):
    """Removed."""

    byocConfigured = serializers.BooleanField()


class CheckLine(serializers.Serializer[Any]):
    """One line of the diagnosis."""

    check = serializers.ChoiceField(["token", "phone_number", "waba", "webhook"])
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


class RotatedKey(serializers.Serializer[Any]):
    """A new key."""

    apiKey = serializers.RegexField(r"^sk_live_[0-9a-f]{48}$", help_text="Shown once.")
