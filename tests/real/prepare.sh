#!/usr/bin/env bash
# Prepares `make e2e`: installs what tests/real needs of Debian and builds its programs. tests/real/prepare.sh [PYTHON]
# Where that is not allowed it says so and ends well: the tests then are skipped, with the same sentence.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:-.venv/bin/python}
policy=/usr/sbin/policy-rc.d

say() { printf '%s\n' "$*" >&2; }

# A package that brings a service starts it, and enables it: this machine's owner did not ask for an etcd or a containerd.
install_quietly() {
  local unit units=()
  for unit in etcd containerd; do
    [ -e "/lib/systemd/system/$unit.service" ] || units+=("$unit.service")
  done
  if ! [ -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  say "installing Debian packages: $* …"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
    { apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
  if [ -d /run/systemd/system ] && [ ${#units[@]} -gt 0 ]; then
    systemctl --quiet disable "${units[@]}" || true
  fi
}

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  packages=$("$python" -m tests.real packages)
  # shellcheck disable=SC2086 # one word each
  [ -z "$packages" ] || install_quietly $packages
fi
if obstacle=$("$python" -m tests.real obstacle); then
  "$python" -m tests.real build
else
  say "$obstacle"
fi
