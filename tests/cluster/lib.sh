# Shared by every kind of cluster: places, messages, waiting, tools. Sourced by cluster.sh.
# shellcheck shell=bash

HOME_DIR=${ZT_CLUSTER_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/zerotrust-cluster}
BIN=$HOME_DIR/bin
export PATH=$BIN:$PATH:/usr/local/go/bin
export KUBECACHEDIR=$HOME_DIR/kube-cache  # kubectl and helm would leave theirs in the user's home

say() { echo "cluster: $*" >&2; }
die() { say "$*"; exit 1; }

has_docker() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

need_go() {  # what for
  command -v go >/dev/null || die "Go 1.26 or newer is needed to build $1: 'go' is not on the PATH."
}

wait_for() {  # seconds command...: until it succeeds
  local deadline=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || { say "gave up waiting for: $*"; return 1; }
    sleep 0.1
  done
}

only_one() {  # one change to the cluster at a time; the daemons must not inherit the lock (see start)
  mkdir -p "$HOME_DIR"
  exec 9>"$HOME_DIR/.lock"; flock 9
}

hash_of() { cat "$@" | sha256sum | cut -c1-32; }

current() {  # name hash: was this binary made from exactly these inputs?
  [[ -x $BIN/$1 && $(cat "$BIN/.$1.inputs" 2>/dev/null) == "$2" ]]
}

install_go_tool() {  # name module-path version time-it-takes: a released program, by its own go.mod
  local name=$1 target=$2@$3 stage=$BIN/.new
  current "$name" "$target" && return
  need_go "$name"
  say "building $name $3 (about $4) ..."
  GOBIN=$stage CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" "$target"
  mv -f "$stage/$name" "$BIN/$name"; echo "$target" > "$BIN/.$name.inputs"
}
