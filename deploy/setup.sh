#!/bin/sh
# SPDX-License-Identifier: EUPL-1.2
# Makes the environment in .venv from the locked list given, and puts the command `bidvault` into it.
#
#   sh deploy/setup.sh requirements.txt
#
# Needs Python 3.11 or newer. Where the system's Python cannot make an environment (Debian without python3-venv), it
# uses virtualenv or pip if they are there, installs python3-venv when it is root, and else says what to install.
set -eu

locked=$1
place=.venv
mark=$place/.made-from-$locked

if [ -f "$mark" ] && cmp -s "$mark" "$locked" && [ -x "$place/bin/bidvault" ] && [ ! pyproject.toml -nt "$mark" ]; then
    exit 0
fi

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    say "Python 3.11 or newer is missing. On Debian: apt-get install python3.11 python3.11-venv"
    exit 1
}

has_pip() { "$place/bin/python" -m pip --version >/dev/null 2>&1; }

make_environment() {
    "$python" -m venv "$place" >/dev/null 2>&1 && return
    rm -rf "$place"
    "$python" -m virtualenv -q "$place" >/dev/null 2>&1 && return
    rm -rf "$place"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        say "This Python cannot make environments; installing python$version-venv"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "python$version-venv"; } >&2 || true
        "$python" -m venv "$place" >/dev/null 2>&1 && return
        rm -rf "$place"
    fi
    if "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip "$place"; then
        return
    fi
    rm -rf "$place"
    say "This Python cannot make environments. Install it once: apt-get install python3-venv (as root), then try again."
    exit 1
}

install() {
    if has_pip; then
        "$place/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    else
        "$python" -m pip --python "$place/bin/python" install --quiet --disable-pip-version-check "$@"
    fi
}

python=$(find_python)
if ! "$place/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    rm -rf "$place"
    say "Making $place with $python"
    make_environment
fi
say "Installing $locked (over a hundred packages; a minute or more the first time)"
install --require-hashes --no-deps -r requirements-build.txt
install --require-hashes --no-deps -r "$locked"
install --no-deps --no-build-isolation --editable .
cp "$locked" "$mark"
