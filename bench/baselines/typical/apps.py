"""The typical gateway as a Django app; it has no migrations, its tables are made from the models."""

from django.apps import AppConfig


class TypicalConfig(AppConfig):
    """One app."""

    name = "bench.baselines.typical"
    label = "typical"
