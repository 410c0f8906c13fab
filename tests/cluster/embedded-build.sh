# What the embedded cluster is made of: Debian packages, and programs built from Go modules. Sourced by embedded.sh.
# shellcheck shell=bash

PACKAGES=(
  containerd runc containernetworking-plugins etcd-server  # the node
  nftables ipset iptables conntrack iproute2 procps openssl  # what kubelet, Cilium and these scripts call
  clang-19 llvm-19  # Cilium compiles its BPF programs at start
  gcc libc6-dev buildah mmdebstrap ca-certificates  # images
)

prerequisites() {
  [[ $(uname -s) == Linux ]] && . /etc/os-release && [[ ${ID:-} == debian ]] ||
    die "no Docker daemon answers, and the embedded cluster runs on Debian only: start Docker, or name your own cluster with CLUSTER=current CONTEXT=<name>."
  ((EUID == 0)) || die "no Docker daemon answers, and the embedded cluster needs root: start Docker, run as root, or name your own cluster with CLUSTER=current CONTEXT=<name>."
}

debian_packages() {
  local missing
  missing=$(comm -23 <(printf '%s\n' "${PACKAGES[@]}" | sort) <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort))
  [[ -n $missing ]] || return 0
  say "installing Debian packages:" $missing "..."
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq < /dev/null >&2
  # The packages' own services must not start: the node's processes are ours alone.
  local policy=/usr/sbin/policy-rc.d ours=false
  if [[ ! -e $policy ]]; then ours=true; printf '#!/bin/sh\nexit 101\n' > $policy; chmod +x $policy; fi
  local status=0
  apt-get install -y -qq --no-install-recommends $missing < /dev/null > "$HOME_DIR/apt.log" 2>&1 || status=$?
  if $ours; then rm -f $policy; fi
  ((status == 0)) || { tail -5 "$HOME_DIR/apt.log" >&2; die "Debian packages could not be installed (all of it: $HOME_DIR/apt.log)."; }
}

same_version() {  # folder module version: go.mod and versions.env must agree
  grep -qE "(^|[[:space:]])$2 $3( //.*)?\$" "$HERE/$1/go.mod" || die "$1/go.mod does not ask for $2 $3, which versions.env pins: change both."
}

build_kube() {  # apiserver, controller-manager, scheduler, kubelet and kubectl in one binary
  same_version kubernetes k8s.io/kubernetes "$KUBERNETES"
  local v=k8s.io/component-base/version flags inputs minor=${KUBERNETES#v1.}
  flags="-s -w -X $v.gitVersion=$KUBERNETES -X $v.gitMajor=1 -X $v.gitMinor=${minor%%.*} -X $v.gitTreeState=clean"
  inputs=$(hash_of "$HERE"/kubernetes/{go.mod,go.sum,main.go} <(echo "$flags"))
  if ! current kube "$inputs"; then
    need_go "Kubernetes"
    say "building kube $KUBERNETES (about 6 min on 2 cores) ..."
    (cd "$HERE/kubernetes" && CGO_ENABLED=0 go build -trimpath -ldflags "$flags" -o "$BIN/.new/kube" .)
    mv -f "$BIN/.new/kube" "$BIN/kube"; echo "$inputs" > "$BIN/.kube.inputs"
  fi
  local name
  for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do ln -sfn kube "$BIN/$name"; done
}

build_cilium() {  # the agent and its CNI plugin
  same_version cilium github.com/cilium/cilium "$CILIUM"
  local inputs module=github.com/cilium/cilium
  inputs=$(hash_of "$HERE"/cilium/{go.mod,go.sum})
  if ! current cilium-agent "$inputs" || [[ ! -x $BIN/cilium-cni ]]; then
    need_go "Cilium"
    say "building cilium $CILIUM (about 6 min on 2 cores) ..."
    (cd "$HERE/cilium" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$BIN/.new/" $module/daemon $module/plugins/cilium-cni)
    rm -f "$BIN/cilium-agent"  # may be a link
    mv -f "$BIN/.new/cilium-cni" "$BIN/cilium-cni"; mv -f "$BIN/.new/daemon" "$BIN/cilium-agent"; echo "$inputs" > "$BIN/.cilium-agent.inputs"
  fi
  local bpf=$HOME_DIR/bpf source  # what the agent needs of the module at run time: BPF sources and CRDs
  [[ $(cat "$bpf/.inputs" 2>/dev/null) == "$inputs" ]] && return
  need_go "Cilium"
  source=$(cd "$HERE/cilium" && go mod download $module && go list -m -f '{{.Dir}}' $module)
  rm -rf "$bpf"; mkdir -p "$bpf"
  cp -r --no-preserve=mode "$source/bpf" "$bpf/bpf"
  awk 'FNR==1 && !/^---/ {print "---"} {print}' "$source"/pkg/k8s/apis/cilium.io/client/crds/v2*/*.yaml > "$bpf/crds.yaml"
  echo "$inputs" > "$bpf/.inputs"
}

build_pause() {
  local inputs image=zerotrust.local/pause:1 c store=$BIN/.new/store
  inputs=$(hash_of "$HERE/pause.c")
  [[ $(cat "$HOME_DIR/.pause.inputs" 2>/dev/null) == "$inputs" && -f $HOME_DIR/pause.tar ]] && return
  local buildah=(buildah --root "$store" --runroot "$store-run" --storage-driver vfs)
  gcc -static -O2 -o "$BIN/.new/pause" "$HERE/pause.c"
  c=$("${buildah[@]}" from scratch)
  "${buildah[@]}" copy -q "$c" "$BIN/.new/pause" /pause >/dev/null
  "${buildah[@]}" config --entrypoint '["/pause"]' --user 65535:65535 "$c"
  "${buildah[@]}" commit -q --rm "$c" $image >/dev/null
  rm -f "$HOME_DIR/pause.tar"; "${buildah[@]}" push -q $image "oci-archive:$HOME_DIR/pause.tar:$image"
  echo "$inputs" > "$HOME_DIR/.pause.inputs"
}

cluster_build() {  # cold: about 16 minutes on 2 cores; a tenth of a second when nothing changed
  prerequisites
  rm -rf "$BIN/.new"; mkdir -p "$BIN/.new"
  debian_packages
  ln -sfn /usr/bin/clang-19 "$BIN/clang"
  build_kube
  build_cilium
  install_go_tool coredns github.com/coredns/coredns "$COREDNS" "2 min"
  install_go_tool helm helm.sh/helm/v4/cmd/helm "$HELM" "2 min"
  build_pause
  rm -rf "$BIN/.new"
}
