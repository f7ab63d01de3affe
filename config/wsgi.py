"""The web process's entry point; it refuses to serve when it is misconfigured."""

import os

from django.core.wsgi import get_wsgi_application

from core import memory
from core.http.bodies import WholeBodies

memory.share()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from config.checks import refuse_misconfiguration  # noqa: E402  (needs the settings)

refuse_misconfiguration()
application = WholeBodies(django_application)
memory.settle()
