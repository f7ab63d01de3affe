"""Every setting of Hermod, read from the environment; a bare checkout runs.

The names and defaults are listed in ``.env.example``. What is missing or unsafe is not
guessed here but reported by ``config.checks`` with an id and a hint.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import environ

from core.addresses import broker_url, left_in
from core.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

env = environ.Env()
if (BASE_DIR / ".env").exists():
    environ.Env.read_env(str(BASE_DIR / ".env"))

# The variable DEBUG relaxes our own checks on a laptop. Django's debug pages stay off even there: they
# show settings and source to whoever makes a mistake in an address, and keep every query in memory.
DEVELOPMENT = env.bool("DEBUG", default=False)
DEBUG = False
DATA_DIR = Path(env.str("DATA_DIR", default=".local"))
if not DATA_DIR.is_absolute():
    DATA_DIR = BASE_DIR / DATA_DIR

# What a running `make run` left in DATA_DIR serves where the environment says nothing.
_left = left_in(DATA_DIR)

# --- secrets: required; without them a throwaway key lets `manage.py check` say what is missing.
SECRET_KEY_GIVEN = env.str("SECRET_KEY", default="") or _left.get("SECRET_KEY", "")
SECRET_KEY = SECRET_KEY_GIVEN or secrets.token_urlsafe(48)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
CREDENTIALS_KEYS = env.list("CREDENTIALS_KEYS", default=[]) or [
    key for key in _left.get("CREDENTIALS_KEYS", "").split(",") if key
]

# --- addresses
PORT = env.int("PORT", default=8000)
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[]) or [
    environ.urlparse(PUBLIC_URL).hostname or "127.0.0.1",
    "127.0.0.1",
    "localhost",
    "[::1]",
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
# Set only when a proxy of yours terminates TLS and overwrites this header.
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Networks of the proxies in front of us; only they may say whose address a request comes from.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

# --- database and broker: the given ones, else the embedded ones that `make run` keeps in DATA_DIR.
DATABASE_URL = env.str("DATABASE_URL", default="") or _left.get("DATABASE_URL", "")
REDIS_URL = env.str("REDIS_URL", default="") or _left.get("REDIS_URL", "")
DATABASES = {
    "default": {
        **(env.db_url_config(DATABASE_URL) if DATABASE_URL else {"NAME": "hermod"}),
        "ENGINE": "core.postgres",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
# The statements of the accepting path are prepared once per connection; 0 behind a pooler that cannot
# carry prepared statements (PgBouncer before 1.21 in transaction mode).
DATABASE_PREPARE = env.bool("DATABASE_PREPARE", default=True)
DATABASES["default"]["OPTIONS"] = {
    **DATABASES["default"].get("OPTIONS", {}),
    "connect_timeout": 5,
    # A transaction left open for hours keeps dead rows alive and the claim slow.
    "options": "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=30000",
    "application_name": "hermod",
    # None would keep the driver from preparing anything, even what asks for it (core.sql); the ORM's own
    # statements, each with its values written into it, never come near this number.
    "prepare_threshold": 1_000_000_000 if DATABASE_PREPARE else None,
}
# Only for tests on a throwaway server with fsync off; /readyz refuses such a server otherwise.
DURABILITY_NOT_NEEDED = env.bool("DURABILITY_NOT_NEEDED", default=False)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = broker_url(REDIS_URL)
# What wakes a worker of each queue when none is running: its task, the Celery queue where that is another
# one, and how often beat wakes it in case a wake-up was lost, in seconds (1 where somebody waits).
WORKERS: dict[str, dict[str, Any]] = {
    "messages": {"task": "messaging.tasks.drain"},
    "inbox": {"task": "messaging.tasks.apply_callbacks"},
    "deliveries": {"task": "webhooks.tasks.deliver"},
    "billing": {"task": "webhooks.tasks.ask_stripe", "queue": "maintenance", "every": 10.0},
}

# --- Meta
META_GRAPH_URL = env.str("META_GRAPH_URL", default="https://graph.facebook.com").rstrip("/")
META_GRAPH_VERSION = env.str("META_GRAPH_VERSION", default="v25.0")
META_APP_SECRET = env.str("META_APP_SECRET", default="")
META_VERIFY_TOKEN = env.str("META_VERIFY_TOKEN", default="")

# --- the engine; every number is explained in docs/reliability.md
SEND_LEASE_SECONDS = env.float("SEND_LEASE_SECONDS", default=30.0)
SEND_TIMEOUT_SECONDS = env.float("SEND_TIMEOUT_SECONDS", default=20.0)
SEND_CONCURRENCY = env.int("SEND_CONCURRENCY", default=512)
UNKNOWN_WAIT_SECONDS = env.float("UNKNOWN_WAIT_SECONDS", default=600.0)
# Longer than a batch of callbacks ever takes; a killed worker's callbacks wait this long.
INBOX_LEASE_SECONDS = env.float("INBOX_LEASE_SECONDS", default=15.0)
# Our own receiver counts as away when it was not seen well for this long (it is asked every 15 s).
HEARTBEAT_GAP_SECONDS = env.float("HEARTBEAT_GAP_SECONDS", default=60.0)
DRAIN_SECONDS = env.float("DRAIN_SECONDS", default=30.0)

# --- webhooks and limits
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", default=False)
# A customer's endpoint has this long to answer (the published figure); a killed worker's deliveries wait
# for the end of their lease.
WEBHOOK_TIMEOUT_SECONDS = env.float("WEBHOOK_TIMEOUT_SECONDS", default=10.0)
WEBHOOK_LEASE_SECONDS = env.float("WEBHOOK_LEASE_SECONDS", default=60.0)
DELIVERIES_KEPT_DAYS = env.int("DELIVERIES_KEPT_DAYS", default=30)
CALLBACKS_KEPT_DAYS = env.int("CALLBACKS_KEPT_DAYS", default=7)
MAX_BULK_MESSAGES = env.int("MAX_BULK_MESSAGES", default=1000)
# Messages in a billing period, by plan; 0: as many as wanted.
MONTHLY_MESSAGES = {
    "free": env.int("MONTHLY_MESSAGES_FREE", default=1_000),
    "basic": env.int("MONTHLY_MESSAGES_BASIC", default=10_000),
    "pro": env.int("MONTHLY_MESSAGES_PRO", default=100_000),
    "enterprise": env.int("MONTHLY_MESSAGES_ENTERPRISE", default=0),
}

# --- Stripe: empty means that billing answers 503
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_PRICE_BASIC = env.str("STRIPE_PRICE_BASIC", default="")
STRIPE_PRICE_PRO = env.str("STRIPE_PRICE_PRO", default="")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="").rstrip("/")
# What can be bought besides a plan: code -> price; without a price it is not on offer.
STRIPE_ADD_ON_PRICES = {
    "messages_1000": env.str("STRIPE_PRICE_MESSAGES_1000", default=""),
    "messages_5000": env.str("STRIPE_PRICE_MESSAGES_5000", default=""),
    "messages_10000": env.str("STRIPE_PRICE_MESSAGES_10000", default=""),
    "agent": env.str("STRIPE_PRICE_AGENT", default=""),
}
# Where Enterprise customers are sent: an address for mail, or a page.
SALES_CONTACT = env.str("SALES_CONTACT", default="")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "core.ui",
    "config",
    "developers",
    "devstack",
    "accounts",
    "billing",
    "webhooks",
    "messaging",
]

MIDDLEWARE = [
    "core.correlation.CorrelationMiddleware",
    "core.http.requestlog.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "core.http.headers.SecurityHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "core.ui.people.PeopleMiddleware",
    "core.ui.people.FormBoundsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "core.ui.people.ui",
            ]
        },
    }
]

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

FORM_RENDERER = "core.ui.forms.Renderer"
CSRF_FAILURE_VIEW = "core.ui.people.csrf_failure"

# --- signing in (django-allauth): by e-mail that was proven, with a second factor for those who want one
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/app"
ACCOUNT_ADAPTER = "accounts.signing_in.Adapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.signing_in.SignUpForm"
ACCOUNT_FORMS = {"signup": "accounts.signing_up.Form"}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
# A code is typed into the browser that asked for it. A link would prove the address for whoever began.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 1_800
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if PUBLIC_URL.startswith("https://") else "http"
MFA_ADAPTER = "accounts.signing_in.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Hermod"
# Browsers give passkeys to https and to localhost only.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEVELOPMENT
# Who signs in to /admin/ shows a second factor; on a laptop the demo's owner need not have one.
ADMIN_SECOND_FACTOR = not DEVELOPMENT
# Tries are counted here, so every process counts in the same place: in Redis while it is there.
CACHES = {
    "default": {"BACKEND": "core.cache.SteadyCache"}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

LANGUAGES = [("en", "English"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEVELOPMENT

# --- what a browser is told (core.http.headers adds the content security policy)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
_https = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=_https and not DEVELOPMENT)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https

# Meta posts up to 3 MB; our own readers bound each route before this does.
DATA_UPLOAD_MAX_MEMORY_SIZE = 9 * 1024 * 1024

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="") or (
    f"Hermod <hermod@{environ.urlparse(PUBLIC_URL).hostname or 'localhost'}>"
)

# Calls that each account's request log keeps; 0 keeps none.
REQUEST_LOG_ENTRIES = env.int("REQUEST_LOG_ENTRIES", default=1000)

LOG_FORMAT = env.str("LOG_FORMAT", default="json")
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING_CONFIG = None
logging_config(fmt=LOG_FORMAT, level=LOG_LEVEL)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.authentication.ActiveAccount"],
    "DEFAULT_RENDERER_CLASSES": ["core.http.wire.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.http.wire.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "core.http.openapi.HermodSchema",
    "DEFAULT_METADATA_CLASS": None,
    # Otherwise ?format=xml on any path would be DRF's to read.
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hermod",
    "DESCRIPTION": "Send WhatsApp messages from your own Meta number.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    # A PATCH takes what its serializer says; what is optional there says so itself.
    "COMPONENT_SPLIT_PATCH": False,
    # Generators and Postman take the first one, and need its host. The explorer calls where it was opened.
    "SERVERS": [{"url": PUBLIC_URL}, {"url": "/", "description": "Where this document was fetched from"}],
    "SWAGGER_UI_SETTINGS": '{deepLinking: true, onComplete: () => ui.oas3Actions.setSelectedServer("/")}',
    "SORT_OPERATIONS": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "developers.events.in_openapi",
    ],
    "ENUM_NAME_OVERRIDES": {
        "MessageStatus": "messaging.api.classic.schemas.STATUSES",
        "AcceptedStatus": "messaging.api.classic.schemas.ACCEPTED_STATUSES",
        "SoldPlan": "billing.api.classic.schemas.SOLD_PLANS",
        "PlanName": "billing.api.classic.schemas.PLANS",
        "DeliveryStatus": "webhooks.api.classic.schemas.DELIVERY_STATUSES",
    },
}
