"""Settings of the typical gateway: Django's defaults, Postgres with kept connections, Redis for Celery."""

import os

import environ

from core.addresses import broker_url

SECRET_KEY = "only-for-the-benchmark"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = ["rest_framework", "bench.baselines.typical"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "bench.baselines.typical.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": environ.Env.db_url_config(os.environ["TYPICAL_DATABASE_URL"]) | {"CONN_MAX_AGE": 60},
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
CELERY_BROKER_URL = broker_url(os.environ["REDIS_URL"].replace("db=0", "db=1"))
CELERY_TASK_IGNORE_RESULT = True
META_URL = os.environ["META_GRAPH_URL"]
