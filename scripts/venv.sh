#!/bin/sh
# Makes .venv hold exactly the pinned packages: `venv.sh runtime` or `venv.sh dev`. Quick when it already does.
set -eu
cd "$(dirname "$0")/.."
want=${1:-runtime}

files="requirements.txt requirements/embedded.txt"
[ "$want" = dev ] && files="$files requirements/dev.txt"
# The dev set contains the runtime set, so a stamp of either kind is kept per set.
sum=$(cat $files | cksum | tr ' ' '-')
stamp=.venv/.installed-$want-$sum

say() { printf 'hermod  | %s\n' "$*"; }
fail() { printf 'hermod: %s\n' "$*" >&2; exit 1; }

usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# A virtual environment whose Python has gone (an upgrade, a copied folder) is made anew.
if [ -f "$stamp" ] && usable .venv/bin/python; then exit 0; fi

# Two of us at once (make run and make test) take turns where the system has flock.
if [ -z "${HERMOD_VENV_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
    HERMOD_VENV_LOCKED=1 exec flock requirements.txt sh scripts/venv.sh "$want"
fi

if ! usable .venv/bin/python || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3 python; do
        if usable "$candidate"; then python=$candidate; break; fi
    done
    [ -n "$python" ] || fail "Python 3.11 or newer was not found: install it, or run with PYTHON=/path/to/python3.11."
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv >/dev/null 2>&1 || {
        rm -rf .venv
        fail "$python cannot make virtual environments: run \`apt-get install -y python3-venv\` (or your system's equivalent)."
    }
fi

python=.venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1
requirements=
for file in $files; do requirements="$requirements -r $file"; done

pip_setting() { # `pip config get` reads one file only, `list` all of them
    $python -m pip config list 2>/dev/null | sed -nE "s/^(global|install|:env:)\.$1='(.*)'\$/\2/p" | tail -n 1
}

# uv installs several times faster than pip. It does not read pip's configuration: index and certificates are handed on.
with_uv() {
    if [ ! -x .venv/bin/uv ]; then
        awk '/^uv==/ {on = 1} on {print} on && !/\\$/ {exit}' requirements/dev.txt > .venv/uv.txt
        $python -m pip install --quiet --require-hashes -r .venv/uv.txt || return 1
    fi
    index=${PIP_INDEX_URL:-$(pip_setting index-url)}
    if [ -n "$index" ]; then UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}; export UV_DEFAULT_INDEX; fi
    cert=${PIP_CERT:-$(pip_setting cert)}
    if [ -n "$cert" ]; then SSL_CERT_FILE=${SSL_CERT_FILE:-$cert}; export SSL_CERT_FILE; fi
    # Without --compile-bytecode every first start would compile for seconds.
    UV_HTTP_RETRIES=${UV_HTTP_RETRIES:-1} .venv/bin/uv pip install --quiet --python $python \
        --require-hashes --compile-bytecode $requirements 2>.venv/uv.log
}

say "installing the pinned packages ($want), once"
if ! with_uv; then
    say "uv could not install them (.venv/uv.log says why); trying pip, which is slower"
    $python -m pip install --quiet --require-hashes $requirements ||
        fail "the packages could not be installed (see above): check the network and pip's index settings."
fi
rm -f .venv/.installed-"$want"-*
: > "$stamp"
