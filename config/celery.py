"""Celery: it only knocks on doors. No task carries an id, data, a retry or a due time."""

from __future__ import annotations

import math
import os
import time

import structlog
from celery import Celery
from celery.schedules import crontab
from celery.signals import celeryd_init, setup_logging, worker_ready, worker_shutting_down
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import memory, stopping
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
app.autodiscover_tasks(["messaging", "webhooks", "billing"])

#: what comes too seldom for a queue of its own: its knocks go to this one
_SHARED = {"billing": "maintenance"}

# Knocks that nobody heard within a few seconds are worthless: the next one is already on its way.
KNOCK_EXPIRES_SECONDS = 5
_DRAINS = {
    "messages": "messaging.tasks.drain",
    "inbox": "webhooks.tasks.drain",
    "deliveries": "webhooks.tasks.deliver",
    "billing": "billing.tasks.drain",
}
#: how often beat knocks in case a knock was lost, in seconds; 1 where somebody waits for a message
_EVERY = {"billing": 10.0}

app.conf.beat_schedule = {
    **{
        f"knock on {queue}": {
            "task": task,
            "schedule": _EVERY.get(queue, 1.0),
            "options": {"queue": _SHARED.get(queue, queue), "expires": KNOCK_EXPIRES_SECONDS},
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
    "watch over billing": {
        "task": "billing.tasks.watch",
        "schedule": 60.0,
        "options": {"queue": "maintenance", "expires": 60},
    },
    "compare with Stripe": {
        "task": "billing.tasks.reconcile",
        "schedule": crontab(hour=3, minute=17),
        "options": {"queue": "maintenance", "expires": 3600},
    },
    "watch over endpoints": {
        "task": "webhooks.tasks.watch",
        "schedule": 60.0,
        "options": {"queue": "maintenance", "expires": 60},
    },
    "sweep the log of deliveries": {
        "task": "webhooks.tasks.sweep",
        "schedule": 3600.0,
        "options": {"queue": "maintenance", "expires": 3600},
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


#: a web process asks for a drain at most this often; beat asks every second anyway
START_AT_MOST_EVERY_SECONDS = 0.1
_asked: dict[str, float] = {}
#: a knock that was heard stands for what comes within this time as well, and is not repeated
KNOCK_COVERS_SECONDS = 0.01
#: when this process last knocked and was heard, by queue
_heard: dict[str, float] = {}


def _may_start(queue: str) -> bool:
    now = time.monotonic()
    if now - _asked.get(queue, 0.0) < START_AT_MOST_EVERY_SECONDS:
        return False
    _asked[queue] = now
    return True


def wake(queue: str) -> None:
    """Knock: a running drain hears it at once, else a task starts one.

    Never raises and never waits long. A lost knock costs at most a second, until beat's next one. A knock
    that was heard moments ago is not repeated: who heard it will look once more.
    """
    now = time.monotonic()
    if now - _heard.get(queue, -math.inf) < KNOCK_COVERS_SECONDS:
        return
    try:
        if publish(channel(queue)):
            _heard[queue] = now
        elif _may_start(queue):
            queue_, task = _SHARED.get(queue, queue), _DRAINS[queue]
            app.send_task(task, queue=queue_, expires=KNOCK_EXPIRES_SECONDS, retry=False)
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

    memory.share()
    refuse_misconfiguration()


@worker_ready.connect
def _settle(**_: object) -> None:
    memory.settle()


@worker_shutting_down.connect
def _stop_claiming(**_: object) -> None:
    stopping.request()
