"""The *typical* gateway: what most teams write first. DRF, the ORM, one Celery task for each message."""
