#!/usr/bin/env bash
# Brings up kind + kube-vip in ARP mode, with its cloud provider. A second run changes nothing but what its options changed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../recipe.sh
. "$here/../recipe.sh"

FLAGS='--name --network --node-image --range --version'
NAME=${L2PROBE_KIND_NAME:-l2probe-kube-vip}
NETWORK=${KIND_EXPERIMENTAL_DOCKER_NETWORK:-kind}
NODE_IMAGE=${L2PROBE_NODE_IMAGE:-$NODE_1_36}
RANGE=${L2PROBE_RANGE:-}
VERSION=${L2PROBE_KUBE_VIP_VERSION:-1.1.2}

usage() {
  cat <<'HELP'
Usage: kind-config/kube-vip/up.sh [OPTION VALUE]...

  --version VERSION   kube-vip's version (1.1.2)                         L2PROBE_KUBE_VIP_VERSION
  --name NAME         the kind cluster (l2probe-kube-vip)                L2PROBE_KIND_NAME
  --network NETWORK   the docker network (kind)                          KIND_EXPERIMENTAL_DOCKER_NETWORK
  --node-image IMAGE  the node image (pinned)                            L2PROBE_NODE_IMAGE
  --range FIRST-LAST  addresses for Services (derived from the network)  L2PROBE_RANGE
HELP
}

options "$@"
need docker kind kubectl python3
check_tools

ensure_cluster --config "$here/cluster.yaml" --wait 5m
choose_range
apply "$here/rbac.yaml"
apply "$here/pool.yaml"
apply "$here/cloud-provider.yaml"
apply "$here/daemonset.yaml"
kube rollout status deployment/kube-vip-cloud-provider --namespace kube-system --timeout 5m >&2
kube rollout status daemonset/kube-vip-ds --namespace kube-system --timeout 5m >&2

farewell "kube-vip $VERSION"
