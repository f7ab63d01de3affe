"""Celery: a timer that wakes workers. No task carries an id, data, a retry or a due time."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import celeryd_init, setup_logging, worker_ready, worker_shutting_down
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

from core import memory
from core.jobs import shutdown
from core.jobs.wakeup import EXPIRES_SECONDS

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

_workers: dict[str, dict[str, Any]] = settings.WORKERS

#: upkeep: its task, how often, and the seconds after which a run that nobody began is worthless
_UPKEEP: dict[str, tuple[str, float | crontab, int]] = {
    "match orphaned statuses": ("messaging.tasks.adopt_orphans", 60.0, 60),
    "beat heart": ("messaging.tasks.beat_heart", 15.0, 15),
    "tell owners": ("messaging.tasks.tell_owners", 60.0, 60),
    "watch over billing": ("billing.tasks.watch", 60.0, 60),
    "compare with Stripe": ("billing.tasks.reconcile", crontab(hour=3, minute=17), 3600),
    "watch over endpoints": ("webhooks.tasks.watch", 60.0, 60),
    "warn of quotas": ("webhooks.tasks.warn_of_quotas", 60.0, 60),
    "sweep the log of deliveries": ("webhooks.tasks.sweep", 3600.0, 3600),
    "verify numbers": ("messaging.tasks.verify_numbers", 30.0, 30),
    "read templates": ("messaging.tasks.sync_templates", 10.0, 10),
    "sweep": ("messaging.tasks.sweep", 3600.0, 3600),
}

app.conf.beat_schedule = {
    **{
        f"wake {queue}": {
            "task": worker["task"],
            "schedule": worker.get("every", 1.0),
            "options": {"queue": worker.get("queue", queue), "expires": EXPIRES_SECONDS},
        }
        for queue, worker in _workers.items()
    },
    **{
        name: {"task": task, "schedule": every, "options": {"queue": "maintenance", "expires": expires}}
        for name, (task, every, expires) in _UPKEEP.items()
    },
}


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
    shutdown.asked.set()
