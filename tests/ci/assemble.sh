#!/usr/bin/env bash
# Carries out docs/image/Containerfile without Docker: each stage is a chroot on an overlay over this machine's own root,
# which plays the base image. Then starts what the image starts. To be run in a mount namespace of its own, as root in it.
#   assemble.sh REPOSITORY SCRATCH PYTHON
set -euo pipefail
repository=$1 scratch=$2 python=$3

mount -t tmpfs none "$scratch"

# stage NAME: a root file system to change; the base image's command `python` is PYTHON.
stage() {
  local root=$scratch/$1/root
  mkdir -p "$root" "$scratch/$1/changes" "$scratch/$1/work"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/$1/changes,workdir=$scratch/$1/work" "$root"
  mount --rbind /proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mkdir -p "$root/opt/base"
  printf '#!/bin/sh\nexec %s "$@"\n' "$python" >"$root/opt/base/python"
  chmod 755 "$root/opt/base/python"
}

# inside ROOT COMMAND...: runs it there with the base image's few variables, and this machine's settings for pip.
inside() {
  local root=$1 name settings=()
  shift
  for name in $(compgen -e | grep -E '^(PIP_|SSL_CERT_|REQUESTS_CA_|https?_proxy$|HTTPS?_PROXY$)' || true); do
    settings+=("$name=${!name}")
  done
  chroot "$root" env -i HOME=/root "PATH=$image_path:/opt/base:/usr/sbin:/usr/bin:/sbin:/bin" "${settings[@]}" "$@"
}

image_path=/opt/base
build=$scratch/build/root final=$scratch/final/root current=
while read -r word text; do
  case $word in
    FROM) if [ -z "$current" ]; then stage build && current=$build; else stage final && current=$final; fi ;;
    WORKDIR) directory=$text && mkdir -p "$current$text" ;;
    COPY)
      if [[ $text == --from=build* ]]; then
        read -r _ from to <<<"$text"
        cp -a "$build$from" "$final$to"
      else
        read -r -a paths <<<"$text"
        to=${paths[-1]} && unset 'paths[-1]'
        if [ "$to" = ./ ]; then (cd "$repository" && cp "${paths[@]}" "$current$directory"); else cp -r "$repository/${paths[0]}" "$current$directory/$to"; fi
      fi
      ;;
    RUN) inside "$current" sh -c "cd $directory && $text" </dev/null >&2 ;;
    ENV) [[ $text == PATH=*:\$PATH ]] && image_path=${text#PATH=} && image_path=${image_path%:\$PATH} ;;
    USER | ENTRYPOINT | CMD) ;;
    *) echo "an instruction that this script does not know: $word" >&2 && exit 1 ;;
  esac
done < <(sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' "$repository/docs/image/Containerfile" | grep -Ev '^(#|$)')

# contained CAPABILITIES COMMAND...: as `docker run --cap-drop ALL --security-opt no-new-privileges` plus these, without a network.
contained() {
  local capabilities=$1
  shift
  inside "$final" unshare --net setpriv --no-new-privs --inh-caps=-all "--bounding-set=-all$capabilities" "$@"
}

contained "" l2probe --help
contained "" l2probe run --list
raw_socket='import socket
try:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
except PermissionError:
    print("refused")
else:
    print("raw socket")'
contained ,+net_raw python -c "$raw_socket"
contained "" python -c "$raw_socket"
