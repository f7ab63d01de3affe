#!/bin/sh
# Prints the path of a Chromium for the browser tests; installs one when there is none and it can.
set -u

find_one() {
    if [ -n "${CHROMIUM_PATH:-}" ] && [ -x "$CHROMIUM_PATH" ]; then echo "$CHROMIUM_PATH"; return; fi
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" 2>/dev/null; then return; fi
    done
    # What `playwright install chromium` keeps for this user.
    for path in "${PLAYWRIGHT_BROWSERS_PATH:-${HOME:-/root}/.cache/ms-playwright}"/chromium-*/chrome-linux*/chrome; do
        if [ -x "$path" ]; then echo "$path"; return; fi
    done
    return 1
}

find_one && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "hermod  | installing chromium for the browser tests, once" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-dejavu-core; } >/dev/null 2>&1
    find_one && exit 0
fi
if [ -x .venv/bin/playwright ]; then
    .venv/bin/python -m playwright install chromium >/dev/null 2>&1
    find_one && exit 0
fi
echo "hermod: no Chromium was found and none could be installed; the browser tests will fail." \
    "Run \`apt-get install -y chromium\`, or set CHROMIUM_PATH." >&2
exit 0
