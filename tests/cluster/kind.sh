# A Docker daemon is there: Kubernetes in Docker. kind's own network plugin has enforced NetworkPolicy since 0.24. Sourced by cluster.sh.
# shellcheck shell=bash

NAME=${KIND_NAME:-zerotrust}
CONFIG=$HOME_DIR/kind.kubeconfig  # never the user's own

cluster_kubeconfig() { echo "$CONFIG"; }

cluster_build() {
  mkdir -p "$BIN"
  command -v kind >/dev/null || install_go_tool kind sigs.k8s.io/kind "$KIND" "1 min"
  command -v helm >/dev/null || install_go_tool helm helm.sh/helm/v4/cmd/helm "$HELM" "2 min"
  command -v kubectl >/dev/null && return
  need_go kubectl
  say "building kubectl $KUBERNETES (about 1 min) ..."
  (cd "$HERE/kubernetes" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$BIN/kubectl" k8s.io/kubernetes/cmd/kubectl)
}

running() { kind get clusters 2>/dev/null | grep -qxF "$NAME"; }
ready() { KUBECONFIG=$CONFIG kubectl wait --for=condition=Ready nodes --all --timeout=2s; }

cluster_up() {
  has_docker || die "kind needs a Docker daemon that answers 'docker info'."
  cluster_build; only_one
  if running; then
    docker start "$(kind get nodes --name "$NAME")" >/dev/null 2>&1 9>&- || true  # after a restart of the machine
    (umask 077; kind get kubeconfig --name "$NAME" > "$CONFIG") && wait_for 90 ready && { say "ready"; return; }
    say "the cluster does not come back: making it again"
    kind delete cluster --name "$NAME" --kubeconfig "$CONFIG" 9>&-
  fi
  kind create cluster --name "$NAME" --config "$ROOT/kind-config.yaml" --kubeconfig "$CONFIG" --wait 180s < /dev/null >&2 9>&-
  wait_for 60 ready
}

cluster_down() { running || return 0; kind delete cluster --name "$NAME" --kubeconfig "$CONFIG"; rm -f "$CONFIG"; }
cluster_destroy() { cluster_down; rm -rf "$HOME_DIR"; }
cluster_status() { running || { echo "down"; return 1; }; KUBECONFIG=$CONFIG kubectl get nodes -o wide; }
cluster_ctr() { docker exec -i "$NAME-control-plane" ctr -n k8s.io "$@"; }
cluster_load() { local archive; for archive in "$@"; do kind load image-archive "$archive" --name "$NAME"; done; }
