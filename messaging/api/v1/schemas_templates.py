"""OpenAPI shapes of linting and managing templates in the v1 API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from messaging.api.v1.schemas import ButtonV1, Values, with_from
from messaging.compose.drafts import TEMPLATE_NAME
from messaging.message_templates.manage import CATEGORIES, FORMATS

_CATEGORIES = list(CATEGORIES)


class RowV1(serializers.Serializer[Any]):
    """The values of one send, as in ``template`` of a send."""

    parameters = Values(required=False)
    header_parameters = Values(required=False)
    header_media_url = serializers.CharField(required=False)
    buttons = ButtonV1(many=True, required=False)
    limited_time_offer = serializers.DictField(required=False)
    carousel = serializers.DictField(required=False)


class LintTemplate(serializers.Serializer[Any]):
    """Which template: one at Meta by name and language, or any by its components."""

    name = serializers.CharField(required=False)
    language = serializers.CharField(required=False)
    components = serializers.ListField(child=serializers.DictField(), required=False)
    parameter_format = serializers.ChoiceField(list(FORMATS), required=False)
    category = serializers.ChoiceField(_CATEGORIES, required=False)


class LintBody(serializers.Serializer[Any]):
    """What ``POST /v1/whatsapp/templates/lint`` takes."""

    template = LintTemplate()
    rows = RowV1(
        many=True,
        required=False,
        help_text="Up to 1,000; without them the values stand in `template`, as in a send.",
    )


class FindingV1(serializers.Serializer[Any]):
    """One thing that is, or looks, wrong."""

    severity = serializers.ChoiceField(["error", "warning"], help_text="error: the send would fail.")
    code = serializers.CharField()
    param = serializers.CharField(help_text="The field, as a send writes it.")
    message = serializers.CharField()
    meta_code = serializers.IntegerField(required=False, help_text="What Meta would answer.")


class LintedRow(serializers.Serializer[Any]):
    """What became of one row."""

    index = serializers.IntegerField()
    valid = serializers.BooleanField()
    findings = FindingV1(many=True)
    preview = serializers.DictField(
        allow_null=True, help_text="header, body, footer, buttons, … as the customer will see them."
    )


class LintedTemplate(serializers.Serializer[Any]):
    """The template that was checked against."""

    name = serializers.CharField(allow_null=True)
    language = serializers.CharField(allow_null=True)
    status = serializers.CharField(allow_null=True)
    category = serializers.CharField(allow_null=True)


class Linted(serializers.Serializer[Any]):
    """The verdict."""

    valid = serializers.BooleanField()
    template = LintedTemplate()
    findings = FindingV1(many=True)
    rows = LintedRow(many=True)


class NewTemplate(serializers.Serializer[Any]):
    """A template in Meta's own shape."""

    name = serializers.RegexField(f"^{TEMPLATE_NAME.pattern}$")
    language = serializers.RegexField(r"^[a-z]{2,3}(_[A-Z]{2,4})?$")
    category = serializers.ChoiceField(_CATEGORIES)
    parameter_format = serializers.ChoiceField(list(FORMATS), required=False)
    components = serializers.ListField(
        child=serializers.DictField(), help_text="As Meta's reference has them."
    )
    message_send_ttl_seconds = serializers.IntegerField(required=False)


class NewTemplateBody(serializers.Serializer[Any]):
    """What ``POST /v1/whatsapp/templates/manage`` takes."""

    agent_id = serializers.UUIDField(help_text="The agent whose number's account it is made in.")
    template = NewTemplate()

    def get_fields(self) -> dict[str, Any]:
        """Add ``from``, which Python keeps for itself."""
        return with_from(super().get_fields())


class TemplateChanges(serializers.Serializer[Any]):
    """What is changed; the components are replaced as a whole."""

    components = serializers.ListField(child=serializers.DictField(), required=False)
    category = serializers.ChoiceField(_CATEGORIES, required=False)


class EditTemplateBody(serializers.Serializer[Any]):
    """What ``PATCH /v1/whatsapp/templates/manage/{id}`` takes."""

    template = TemplateChanges()


class ExampleBody(serializers.Serializer[Any]):
    """A file, with the number whose app it is uploaded by."""

    agent_id = serializers.UUIDField()
    file = serializers.FileField(help_text="JPEG or PNG up to 5 MB; MP4 or PDF up to 16 MB.")

    def get_fields(self) -> dict[str, Any]:
        """Add ``from``, which Python keeps for itself."""
        return with_from(super().get_fields())


class ExampleObject(serializers.Serializer[Any]):
    """What stands for the file in a template."""

    handle = serializers.CharField(help_text="Put it in `example.header_handle` of the HEADER component.")
