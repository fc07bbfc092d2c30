#!/usr/bin/env bash
# Brings up kind + MetalLB in L2 mode. A second run changes nothing but what its options changed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../recipe.sh
. "$here/../recipe.sh"

FLAGS='--name --network --node-image --range --version'
NAME=${L2PROBE_KIND_NAME:-l2probe-metallb}
NETWORK=${KIND_EXPERIMENTAL_DOCKER_NETWORK:-kind}
NODE_IMAGE=${L2PROBE_NODE_IMAGE:-$NODE_1_36}
RANGE=${L2PROBE_RANGE:-}
# 0.16.0's speaker floods the API server with ServiceL2Status writes (metallb#3063).
VERSION=${L2PROBE_METALLB_VERSION:-0.15.3}

usage() {
  cat <<'HELP'
Usage: kind-config/metallb/up.sh [OPTION VALUE]...

  --version VERSION   MetalLB's version (0.15.3)                         L2PROBE_METALLB_VERSION
  --name NAME         the kind cluster (l2probe-metallb)                 L2PROBE_KIND_NAME
  --network NETWORK   the docker network (kind)                          KIND_EXPERIMENTAL_DOCKER_NETWORK
  --node-image IMAGE  the node image (pinned)                            L2PROBE_NODE_IMAGE
  --range FIRST-LAST  addresses for Services (derived from the network)  L2PROBE_RANGE
HELP
}

options "$@"
need docker kind helm kubectl python3
check_tools

ensure_cluster --config "$here/cluster.yaml" --wait 5m
choose_range
helm upgrade --install metallb metallb --repo https://metallb.github.io/metallb --version "$VERSION" \
  --kube-context "kind-$NAME" --namespace metallb-system --create-namespace \
  --values "$here/values.yaml" --wait --timeout 10m >&2
kube rollout status deployment/metallb-controller --namespace metallb-system --timeout 5m >&2
kube rollout status daemonset/metallb-speaker --namespace metallb-system --timeout 5m >&2
kube wait --for condition=Established crd/ipaddresspools.metallb.io crd/l2advertisements.metallb.io --timeout 2m >&2

apply "$here/pool.yaml"
apply "$here/policy.yaml"
farewell "MetalLB $VERSION"
