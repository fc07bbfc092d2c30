#!/usr/bin/env bash
# Brings up kind + Cilium with L2 announcements. A second run changes nothing but what its options changed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../recipe.sh
. "$here/../recipe.sh"

FLAGS='--name --network --node-image --range --version --datapath'
NAME=${L2PROBE_KIND_NAME:-l2probe-cilium}
NETWORK=${KIND_EXPERIMENTAL_DOCKER_NETWORK:-kind}
NODE_IMAGE=${L2PROBE_NODE_IMAGE:-}
RANGE=${L2PROBE_RANGE:-}
VERSION=${L2PROBE_CILIUM_VERSION:-1.20.2}
DATAPATH=${L2PROBE_DATAPATH:-dsr}

usage() {
  cat <<'HELP'
Usage: kind-config/cilium/up.sh [OPTION VALUE]...

  --datapath dsr|snat|hybrid  how traffic reaches a backend on another node (dsr)   L2PROBE_DATAPATH
  --version VERSION           Cilium's version (1.20.2)                             L2PROBE_CILIUM_VERSION
  --name NAME                 the kind cluster (l2probe-cilium)                     L2PROBE_KIND_NAME
  --network NETWORK           the docker network (kind)                             KIND_EXPERIMENTAL_DOCKER_NETWORK
  --node-image IMAGE          the node image (pinned, fits the Cilium version)      L2PROBE_NODE_IMAGE
  --range FIRST-LAST          addresses for Services (derived from the network)     L2PROBE_RANGE
HELP
}

# The agent's API version of pools: v2 where the cluster serves it (Cilium 1.18 on), else v2alpha1.
pool_version() {
  local served
  served=$(kube get crd ciliumloadbalancerippools.cilium.io --output 'jsonpath={.spec.versions[?(@.served==true)].name}')
  case " $served " in
    *" v2 "*) echo v2 ;;
    *) echo v2alpha1 ;;
  esac
}

# Cilium's socket LB translates connections in every cgroup below its own. In a shared cgroup namespace that is the host's.
warn_of_shared_cgroup() {
  local host node
  host=$(readlink /proc/self/ns/cgroup 2>/dev/null || true)
  node=$(docker exec "$NAME-control-plane" readlink /proc/self/ns/cgroup || true)
  [ -z "$host" ] || [ "$host" != "$node" ] ||
    say "warning: the nodes share this host's cgroup namespace, so Cilium may translate this host's own connections before they reach" \
      "the wire: set \"default-cgroupns-mode\": \"private\" in Docker's daemon.json, and create the cluster again."
}

options "$@"
case $DATAPATH in
  dsr | snat | hybrid) ;;
  *) fail "--datapath $DATAPATH is none of dsr, snat, hybrid." ;;
esac
if [ -z "$NODE_IMAGE" ]; then
  case $VERSION in
    1.1[0-9].*) NODE_IMAGE=$NODE_1_35 ;;
    *) NODE_IMAGE=$NODE_1_36 ;;
  esac
fi
need docker kind helm kubectl python3
check_tools

# No --wait: without a CNI no node becomes ready.
ensure_cluster --config "$here/cluster.yaml"
choose_range
helm upgrade --install cilium cilium --repo https://helm.cilium.io --version "$VERSION" \
  --kube-context "kind-$NAME" --namespace kube-system \
  --values "$here/values.yaml" --values "$here/values-$DATAPATH.yaml" --set "k8sServiceHost=$NAME-control-plane" \
  --wait --timeout 10m >&2
kube rollout status daemonset/cilium --namespace kube-system --timeout 10m >&2
kube rollout status deployment/cilium-operator --namespace kube-system --timeout 5m >&2
kube wait --for condition=Ready node --all --timeout 5m >&2
kube wait --for condition=Established crd/ciliumloadbalancerippools.cilium.io crd/ciliuml2announcementpolicies.cilium.io --timeout 2m >&2

API=$(pool_version)
apply "$here/pool.yaml"
apply "$here/policy.yaml"
warn_of_shared_cgroup

# Only DSR promises the client's address on every node, for every protocol.
if [ "$DATAPATH" = dsr ]; then set -- --require source; else set --; fi
farewell "Cilium $VERSION in mode $DATAPATH" "$@"
