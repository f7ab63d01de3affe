"""OpenAPI shapes of accounts in the v1 API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class NumberV1(serializers.Serializer[Any]):
    """A WhatsApp number of an agent."""

    phone = serializers.CharField(allow_null=True, help_text="To be given as `from`; null until verified.")
    verified_name = serializers.CharField(allow_null=True)
    active = serializers.BooleanField(help_text="Whether it can be given as `from`.")
    status = serializers.ChoiceField(["unverified", "active", "held"])
    business_account_id = serializers.CharField(allow_null=True)


class AgentV1(serializers.Serializer[Any]):
    """An agent: who is speaking."""

    id = serializers.UUIDField(help_text="To be given as `agent_id`.")
    name = serializers.CharField()
    is_default = serializers.BooleanField(help_text="What an sk_ key sends from when it names none.")
    numbers = NumberV1(many=True)
    created_at = serializers.DateTimeField()


class AgentsV1(serializers.Serializer[Any]):
    """All agents that the key may use."""

    data = AgentV1(many=True)  # type: ignore[assignment]


class AgentBody(serializers.Serializer[Any]):
    """What making or renaming an agent takes."""

    name = serializers.RegexField(r"\S", min_length=1, max_length=200)
