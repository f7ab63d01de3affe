"""The typical gateway's two tables."""

from django.db import models


class ApiKey(models.Model):
    """A customer's key."""

    key = models.CharField(max_length=64, unique=True)

    class Meta:
        app_label = "typical"

    def __str__(self) -> str:
        return self.key[:8]


class Message(models.Model):
    """A message and how it stands."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE)
    phone_number_id = models.CharField(max_length=20)
    to = models.CharField(max_length=20)
    body = models.TextField()
    status = models.CharField(max_length=10, default="queued", db_index=True)
    wamid = models.CharField(max_length=255, blank=True, db_index=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "typical"

    def __str__(self) -> str:
        return self.to
