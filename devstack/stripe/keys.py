"""The names under which the stand-in's parts find each other in its application."""

from aiohttp import web

from .world import World

WORLD: web.AppKey[World] = web.AppKey("world", World)
