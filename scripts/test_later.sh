#!/bin/sh
# Runs the tests with every clock years ahead: `test_later.sh 1 [arguments of pytest]`. What fails here and not
# today carries a date that comes due. Linux with a C compiler; nothing but these processes sees the other date.
set -eu
cd "$(dirname "$0")/.."
years=${1:-}
python=.venv/bin/python
[ $# -eq 0 ] || shift

fail() { printf 'hermod: %s\n' "$*" >&2; exit 2; }
case $years in '' | *[!0-9]*) fail "how many years ahead? A whole number, for example YEARS=1." ;; esac
[ "$(uname -s)" = Linux ] || fail "only Linux lets a program see another date."
cc=$(command -v "${CC:-cc}" || command -v gcc || command -v clang) ||
    fail "a C compiler is needed: run \`apt-get install -y gcc libc6-dev\`, or set CC."

# Servers that run already keep today's date, so the tests start their own.
unset DATABASE_URL REDIS_URL
folder=$(mktemp -d /tmp/hermod-later-XXXXXX)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
chmod 711 "$folder" # the servers run as nobody when root starts them
seconds=$(($($python -c "
import datetime, sys
now = datetime.datetime.now(datetime.UTC)
day = 28 if (now.month, now.day) == (2, 29) else now.day
print(round((now.replace(year=now.year + int(sys.argv[1]), day=day) - now).total_seconds()))" "$years")))
"$cc" -O2 -Wall -Wextra -shared -fPIC "-DSECONDS=${seconds}LL" -o "$folder/later.so" scripts/later.c
chmod 755 "$folder/later.so"

# pytest takes folders of other runs for abandoned when they look old: it gets a place of its own.
mkdir "$folder/tmp"
chmod 711 "$folder/tmp"
echo "hermod  | the tests see $(LD_PRELOAD=$folder/later.so date -u '+%Y-%m-%d %H:%M UTC')"
LD_PRELOAD=$folder/later.so PYTEST_DEBUG_TEMPROOT=$folder/tmp $python -m pytest "$@"
