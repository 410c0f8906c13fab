#!/bin/bash
# The development environment: a virtual environment with exactly requirements/dev.txt and this checkout, editable.
# Prints its path. It is made again when the requirements or the Python change; otherwise this takes a tenth of a second.
# Settings: VENV (where), PYTHON (which interpreter makes it; 3.11 or newer).
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VENV=${VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/zerotrust/venv}
PATH=${PATH//"$VENV/bin:"/}  # never make it with itself
PYTHON=${PYTHON:-python3}

say() { echo "venv: $*" >&2; }
die() { say "$*"; exit 1; }

command -v "$PYTHON" >/dev/null || die "Python 3.11 or newer is needed ('$PYTHON' is not installed; set PYTHON to name another)."
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed; '$PYTHON' is $("$PYTHON" -V)."
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then  # Debian ships it in a package of its own
  ((EUID == 0)) && command -v apt-get >/dev/null || die "Python's venv module is needed (on Debian: apt-get install python3-venv)."
  say "installing python3-venv ..."
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >&2
fi

mkdir -p "$(dirname "$VENV")"
exec 9>"$VENV.lock"; flock 9  # two makes at once must not build it twice
wanted=$({ cat "$ROOT/requirements/dev.txt"; "$PYTHON" -VV; "$PYTHON" -c 'import sys; print(sys.base_prefix)'; } | sha256sum | cut -d' ' -f1)
if [[ $(cat "$VENV/.requirements" 2>/dev/null) != "$wanted" ]]; then
  say "making $VENV (about a minute) ..."
  rm -rf "$VENV"; "$PYTHON" -m venv "$VENV" >&2
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$ROOT/requirements/dev.txt" >&2
  echo "$wanted" > "$VENV/.requirements"
fi
here=$({ echo "$ROOT"; cat "$ROOT/pyproject.toml"; } | sha256sum | cut -d' ' -f1)
if [[ $(cat "$VENV/.checkout" 2>/dev/null) != "$here" ]]; then
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e "$ROOT" >&2
  echo "$here" > "$VENV/.checkout"
fi
echo "$VENV"
