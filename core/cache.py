"""Django's cache on Redis that outlives Redis: while it is away, each process counts for itself.

Signing in counts tries in the cache. Without a fallback a dead Redis would lock everybody out, and a cache
that forgot everything would leave passwords and codes unguarded against guessing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

from core import redis as our_redis

log = structlog.get_logger(__name__)

#: a page may wait a little longer for Redis than an accepted message may
TIMEOUT_SECONDS = 0.5
#: entries that a process keeps while Redis is away
MOST_ENTRIES = 10_000

_tell = our_redis.Rarely()


def _steady(name: str) -> Callable[..., Any]:
    """Return the cache method of that name: Redis's answer, or our own memory's while it gives none."""

    @functools.wraps(getattr(BaseCache, name))
    def method(self: SteadyCache, *args: Any, **kwargs: Any) -> Any:
        try:
            return our_redis.guarded(lambda: getattr(self._redis, name)(*args, **kwargs))
        except our_redis.RedisUnavailable:
            if _tell():
                log.error("tries are counted by each process alone: Redis does not answer")
            return getattr(self._memory, name)(*args, **kwargs)

    return method


class SteadyCache(BaseCache):
    """A Redis cache with a memory of its own for bad times. ``LOCATION`` is ignored: REDIS_URL counts."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        more = {"MAX_ENTRIES": MOST_ENTRIES, **params.get("OPTIONS", {})}
        self._memory = LocMemCache("while Redis is away", {**params, "OPTIONS": more})

    @property
    def _redis(self) -> RedisCache:
        return _redis_cache(settings.REDIS_URL)

    add = _steady("add")
    get = _steady("get")
    set = _steady("set")
    touch = _steady("touch")
    delete = _steady("delete")
    has_key = _steady("has_key")
    incr = _steady("incr")
    get_many = _steady("get_many")
    set_many = _steady("set_many")
    delete_many = _steady("delete_many")
    clear = _steady("clear")


@functools.cache
def _redis_cache(url: str) -> RedisCache:
    options = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS, "retry": None}
    return RedisCache(url, {"OPTIONS": options})
