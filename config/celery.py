"""Celery: it only knocks on doors. No task carries an id, data, a retry or a due time."""

from __future__ import annotations

import os

import structlog
from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_shutting_down
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import stopping
from config.redis import RedisUnavailable, publish

log = structlog.get_logger(__name__)

app = Celery("hermod")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_queues=[Queue("messages"), Queue("inbox"), Queue("deliveries"), Queue("maintenance")],
    task_default_queue="maintenance",
    task_create_missing_queues=False,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"socket_connect_timeout": 2, "socket_keepalive": True},
    worker_proc_alive_timeout=20,
)
app.autodiscover_tasks(["messaging", "webhooks"])

# Knocks that nobody heard within a few seconds are worthless: the next one is already on its way.
KNOCK_EXPIRES_SECONDS = 5
_DRAINS = {"messages": "messaging.tasks.drain", "inbox": "webhooks.tasks.drain"}

app.conf.beat_schedule = {
    **{
        f"knock on {queue}": {
            "task": task,
            "schedule": 1.0,
            "options": {"queue": queue, "expires": KNOCK_EXPIRES_SECONDS},
        }
        for queue, task in _DRAINS.items()
    },
    "match orphaned statuses": {
        "task": "messaging.tasks.adopt_orphans",
        "schedule": 60.0,
        "options": {"queue": "maintenance", "expires": 60},
    },
    "beat heart": {
        "task": "messaging.tasks.beat_heart",
        "schedule": 15.0,
        "options": {"queue": "maintenance", "expires": 15},
    },
    "tell owners": {
        "task": "messaging.tasks.tell_owners",
        "schedule": 60.0,
        "options": {"queue": "maintenance", "expires": 60},
    },
    "read templates": {
        "task": "messaging.tasks.sync_templates",
        "schedule": 10.0,
        "options": {"queue": "maintenance", "expires": 10},
    },
    "sweep": {
        "task": "messaging.tasks.sweep",
        "schedule": 3600.0,
        "options": {"queue": "maintenance", "expires": 3600},
    },
}


def channel(queue: str) -> str:
    """Name the Redis channel on which a running drain of ``queue`` listens."""
    return f"hermod:wake:{queue}"


def wake(queue: str) -> None:
    """Knock: a running drain hears it at once, else a task starts one.

    Never raises and never waits long. A lost knock costs at most a second, until beat's next one.
    """
    try:
        if publish(channel(queue)) == 0:
            app.send_task(_DRAINS[queue], queue=queue, expires=KNOCK_EXPIRES_SECONDS, retry=False)
    except RedisUnavailable:
        pass
    except Exception as error:
        log.warning("knock failed", queue=queue, error=repr(error))


@setup_logging.connect
def _keep_our_logging(**_: object) -> None:
    """Stop Celery from installing its own handlers; settings did it."""


@celeryd_init.connect
def _check_first(**_: object) -> None:
    from config.checks import refuse_misconfiguration

    refuse_misconfiguration()


@worker_shutting_down.connect
def _stop_claiming(**_: object) -> None:
    stopping.request()
