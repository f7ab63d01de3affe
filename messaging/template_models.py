"""The tables of templates: what Meta has stored, what happened to it, and when to look again."""

from __future__ import annotations

from django.db import models

from accounts.models import Account, Number
from core.ids import uuid7


class Template(models.Model):
    """An approved (or pending, paused, …) template as Meta stores it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="templates")
    waba_id = models.CharField(max_length=20)
    meta_id = models.CharField(max_length=32)
    name = models.CharField(max_length=512)
    language = models.CharField(max_length=20)
    status = models.CharField(max_length=30)
    category = models.CharField(max_length=30, blank=True)
    #: the category that Meta is going to give it; empty when it keeps its own
    correct_category = models.CharField(max_length=30, blank=True, default="", db_default="")
    #: GREEN, YELLOW, RED or UNKNOWN
    quality = models.CharField(max_length=10, blank=True, default="", db_default="")
    #: Meta's word for why it was rejected
    rejected_reason = models.CharField(max_length=60, blank=True, default="", db_default="")
    parameter_format = models.CharField(max_length=12, default="POSITIONAL")
    components = models.JSONField(default=list)
    #: everything Meta said, also what we do not read yet
    raw = models.JSONField(default=dict)
    synced_at = models.DateTimeField()
    #: Meta's time of the last news of its status: older ones that arrive later are not applied
    news_at = models.DateTimeField(null=True, blank=True)
    #: when we learnt them: a list that was asked for before does not know them
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "waba_id", "meta_id"], name="template_once")
        ]
        indexes = [
            models.Index(fields=["account", "waba_id", "name", "language"], name="template_by_name"),
            # Meta's news name the template, not the account.
            models.Index(fields=["meta_id"], name="template_by_meta_id"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"


class TemplateEvent(models.Model):
    """One change of a template's status, category, quality or reason. Rows are added, never changed."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="events")
    field = models.CharField(max_length=20)
    before = models.CharField(max_length=60, blank=True)
    after = models.CharField(max_length=60, blank=True)
    #: what Meta adds to it (FIRST_PAUSE)
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.field}: {self.before} → {self.after}"


class TemplateSync(models.Model):
    """When the templates of one WhatsApp account are read next, and how it went last."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    waba_id = models.CharField(max_length=20)
    due_at = models.DateTimeField(db_index=True)
    #: when a single unknown name was last asked for
    asked_at = models.DateTimeField(null=True, blank=True)
    synced_at = models.DateTimeField(null=True, blank=True)
    #: why the last attempt failed; a sentence
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "waba_id"], name="template_sync_once")]

    def __str__(self) -> str:
        return self.waba_id


class HeaderSample(models.Model):
    """The file that a media header was approved with, as Meta holds it for one number."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="samples", db_index=False)
    connection = models.ForeignKey(Number, on_delete=models.CASCADE, related_name="+", db_index=False)
    media_id = models.CharField(max_length=64)
    #: Meta keeps uploaded files for 30 days
    uploaded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["template", "connection"], name="sample_once")]

    def __str__(self) -> str:
        return self.media_id
