#!/usr/bin/env bash
# Deletes what up.sh made: the kind cluster. The docker network stays, as kind leaves it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../recipe.sh
. "$here/../recipe.sh"

FLAGS='--name'
NAME=${L2PROBE_KIND_NAME:-l2probe-cilium}

usage() {
  cat <<'HELP'
Usage: kind-config/cilium/down.sh [--name NAME]

  --name NAME  the kind cluster (l2probe-cilium)  L2PROBE_KIND_NAME
HELP
}

options "$@"
need kind
delete_cluster
