# shellcheck shell=bash
# What every recipe does alike: options, checks, the kind cluster, the address range, the last words. Sourced by up.sh
# and down.sh, which first set FLAGS, and a default for the variable of each flag.
# Runs in bash 3.2 too, which macOS still ships.

KIND_VERSION=v0.32.0
# The default node of kind v0.32.0; the older one is v0.31.0's, for releases that do not know Kubernetes 1.36.
# shellcheck disable=SC2034 # a recipe chooses
NODE_1_36='kindest/node:v1.36.1@sha256:3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5'
# shellcheck disable=SC2034 # a recipe chooses
NODE_1_35='kindest/node:v1.35.0@sha256:452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f'
KIND_CONFIG=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 2
}

# options "$@": reads the flags that the recipe names in FLAGS; its `usage` prints the help.
options() {
  while [ $# -gt 0 ]; do
    case " -h --help $FLAGS " in
      *" $1 "*) ;;
      *) fail "$1 is no option of this script: see --help." ;;
    esac
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
    esac
    [ $# -ge 2 ] || fail "$1 needs a value: see --help."
    set_option "$1" "$2"
    shift 2
  done
  check_options
}

# shellcheck disable=SC2034 # the recipe reads them
set_option() {
  case $1 in
    --name) NAME=$2 ;;
    --network) NETWORK=$2 ;;
    --node-image) NODE_IMAGE=$2 ;;
    --range) RANGE=$2 ;;
    --version) VERSION=${2#v} ;;
    --datapath) DATAPATH=$2 ;;
  esac
}

# These words end up in manifests and container names.
check_options() {
  [[ $NAME =~ ^[a-z0-9][a-z0-9.-]*$ ]] || fail "--name $NAME is no kind cluster name: use lower case letters, digits and dashes."
  [[ -z ${RANGE-} || $RANGE =~ ^[0-9a-fA-F.:]+-[0-9a-fA-F.:]+$ ]] || fail "--range $RANGE is not FIRST-LAST, such as 172.18.255.200-172.18.255.249."
  [[ -z ${VERSION-} || $VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+[-0-9a-z.]*$ ]] || fail "--version $VERSION is not a version such as 1.20.2."
}

# need COMMAND...: every command is there; one sentence for each that is not.
need() {
  local command missing=
  for command in "$@"; do
    command -v "$command" >/dev/null && continue
    missing=yes
    case $command in
      docker) say "docker was not found: install Docker Engine (https://docs.docker.com/engine/install/)." ;;
      kind) say "kind was not found: install kind $KIND_VERSION (https://kind.sigs.k8s.io/docs/user/quick-start/#installation)." ;;
      helm) say "helm was not found: install Helm 3 or newer (https://helm.sh/docs/intro/install/)." ;;
      kubectl) say "kubectl was not found: install it (https://kubernetes.io/docs/tasks/tools/)." ;;
      python3) say "python3 was not found: install Python 3.11 or newer." ;;
      *) say "$command was not found: install it." ;;
    esac
  done
  [ -z "$missing" ] || exit 2
}

# The daemon answers, and kind is the release that the pinned node images were built for.
check_tools() {
  docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    fail "The Docker daemon did not answer: start it, or join the group docker."
  case $(kind version) in
    "kind $KIND_VERSION "*) ;;
    *) say "note: this recipe was written for kind $KIND_VERSION, and this is $(kind version)." ;;
  esac
}

# kube ...: kubectl on the recipe's own cluster, whatever the current context is. Standard output is kept for the last words.
kube() { kubectl --context "kind-$NAME" "$@"; }

# The kind cluster NAME exists; further arguments go to `kind create cluster`.
ensure_cluster() {
  local clusters
  # kind warns about the variable whenever it is set.
  [ "$NETWORK" = kind ] || export KIND_EXPERIMENTAL_DOCKER_NETWORK=$NETWORK
  clusters=$(kind get clusters 2>/dev/null)
  if [[ $'\n'$clusters$'\n' == *$'\n'$NAME$'\n'* ]]; then
    say "kind cluster $NAME exists already: using it."
    kind export kubeconfig --name "$NAME" >&2
  else
    kind create cluster --name "$NAME" --image "$NODE_IMAGE" "$@" >&2
  fi
  check_network
}

# The cluster is on NETWORK, and no other recipe's cluster is there, which would be given the same addresses.
check_network() {
  local names
  names=$(docker network inspect "$NETWORK" --format '{{range .Containers}}{{println .Name}}{{end}}') ||
    fail "The docker network $NETWORK could not be inspected: pass --network with the one that cluster $NAME is on."
  [[ $'\n'$names$'\n' == *$'\n'$NAME-control-plane$'\n'* ]] ||
    fail "Cluster $NAME is not on the docker network $NETWORK: pass --network with the one that it is on."
  [ -z "$RANGE" ] || return 0
  local name
  for name in $names; do
    case $name in
      "$NAME"-control-plane) ;;
      l2probe-*-control-plane)
        fail "Cluster ${name%-control-plane} is on the docker network $NETWORK too and has the same addresses: take it down, or pass --range."
        ;;
    esac
  done
}

# Sets FIRST and LAST, the addresses that Services get: --range, or by arithmetic from the docker network.
choose_range() {
  [ -n "$RANGE" ] || RANGE=$(docker network inspect "$NETWORK" | python3 "$KIND_CONFIG/address_range.py")
  FIRST=${RANGE%-*} LAST=${RANGE#*-}
}

# render FILE: prints a template with @FIRST@, @LAST@, @VERSION@ and @API@ filled in.
render() {
  local text
  text=$(<"$1")
  text=${text//@FIRST@/${FIRST-}}
  text=${text//@LAST@/${LAST-}}
  text=${text//@VERSION@/${VERSION-}}
  text=${text//@API@/${API-}}
  printf '%s\n' "$text"
}

# apply FILE: renders and applies it.
apply() { render "$1" | kube apply --filename - >&2; }

# The name of the docker network's bridge on the host where the daemon runs.
bridge_name() {
  local id named
  read -r id named < <(docker network inspect "$NETWORK" --format \
    '{{slice .Id 0 12}} {{with .Options}}{{with index . "com.docker.network.bridge.name"}}{{.}}{{end}}{{end}}')
  printf '%s\n' "${named:-br-$id}"
}

# farewell WHAT [L2PROBE ARGUMENT...]: says where the client must stand, and the command that runs there.
farewell() {
  local what=$1 bridge
  shift
  bridge=$(bridge_name)
  printf 'Ready: kind cluster %s, %s, addresses %s-%s on the docker network %s.\n\n' "$NAME" "$what" "$FIRST" "$LAST" "$NETWORK"
  if [ -e "/sys/class/net/$bridge" ]; then
    farewell_host "$bridge" "$@"
  else
    farewell_container "$bridge" "$@"
  fi
}

# The dollar signs below are for the reader's shell: sudo would reset PATH and HOME.
# shellcheck disable=SC2016
farewell_host() {
  local bridge=$1
  shift
  printf 'Stand on this host: it is the gateway of the segment, by interface %s. Never in a node (docker exec).\n\n' "$bridge"
  printf '  sudo -E env "PATH=$PATH" "KUBECONFIG=${KUBECONFIG:-$HOME/.kube/config}" l2probe run --context kind-%s --interface %s%s\n' \
    "$NAME" "$bridge" "${*:+ $*}"
}

# shellcheck disable=SC2016
farewell_container() {
  local bridge=$1
  shift
  printf 'Stand in a container on the docker network %s: this host is not on the segment (it has no interface %s, as with\n' "$NETWORK" "$bridge"
  printf 'Docker Desktop or a remote daemon). Never in a node (docker exec). From the root of the repository:\n\n'
  printf '  docker build --tag l2probe --file docs/image/Containerfile .\n'
  printf '  dir=$(mktemp -d) && kind get kubeconfig --internal --name %s >"$dir/config" && chmod 444 "$dir/config"\n' "$NAME"
  printf '  docker run --rm --network %s --cap-drop ALL --cap-add NET_RAW --volume "$dir/config:/kubeconfig:ro" \\\n' "$NETWORK"
  printf '    --env KUBECONFIG=/kubeconfig l2probe run --interface eth0%s\n' "${*:+ $*}"
}

# Deletes the kind cluster NAME; one that does not exist is no error.
delete_cluster() { kind delete cluster --name "$NAME" >&2; }
