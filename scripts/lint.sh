#!/bin/sh
# Every static check, all of them even when one fails: style, types, migrations, production settings.
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
failed=

check() {
    name=$1
    shift
    printf '%-12s' "$name"
    if output=$("$@" 2>&1); then
        printf 'ok\n'
    else
        printf 'FAILED\n%s\n' "$output"
        failed="$failed $name"
    fi
}

check ruff $python -m ruff check .
check format $python -m ruff format --check .
check mypy $python -m mypy core accounts billing webhooks messaging developers config devstack
check imports .venv/bin/lint-imports

# What a server would have: nothing here is reached, only judged.
export DEBUG=0 LOG_FORMAT=json PUBLIC_URL=https://hermod.example.com WEBHOOK_ALLOW_PRIVATE=0
export BEHIND_PROXY=1 TRUSTED_PROXIES=127.0.0.1/32
export DATABASE_URL=postgres://lint@127.0.0.1:1/lint REDIS_URL=redis://127.0.0.1:1/0
export META_GRAPH_URL=https://graph.facebook.com EMAIL_URL=smtp+tls://lint@127.0.0.1:1
SECRET_KEY=$($python -c 'import secrets; print(secrets.token_urlsafe(60))')
CREDENTIALS_KEYS=$($python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())')
export SECRET_KEY CREDENTIALS_KEYS
check migrations $python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
check deploy $python manage.py check --deploy --fail-level WARNING

[ -z "$failed" ] || { printf 'lint: failed:%s\n' "$failed" >&2; exit 1; }
