# CLUSTER=current: a cluster you already have. Only the context you name is ever touched. Sourced by cluster.sh.
# shellcheck shell=bash

CONFIG=$HOME_DIR/current.kubeconfig  # a copy holding that one context, so that no later command can reach another

cluster_kubeconfig() { echo "$CONFIG"; }

cluster_up() {
  local known
  command -v kubectl >/dev/null || die "kubectl is needed to use a cluster of your own."
  known=$(kubectl config get-contexts -o name | paste -sd' ')
  [[ -n ${CONTEXT:-} ]] || die "CLUSTER=current needs CONTEXT=<name>, so that no cluster is touched by accident (contexts: ${known:-none})."
  grep -qxF -- "$CONTEXT" <<< "${known// /$'\n'}" || die "KUBECONFIG has no context '$CONTEXT' (contexts: ${known:-none})."
  (umask 077; mkdir -p "$HOME_DIR"; kubectl config view --raw --minify --flatten --context="$CONTEXT" > "$CONFIG")
  KUBECONFIG=$CONFIG kubectl get --raw /readyz >/dev/null || die "the cluster of context '$CONTEXT' does not answer."
  say "using context '$CONTEXT'"
}

cluster_build() { say "nothing to build: the cluster is yours"; }
cluster_status() { KUBECONFIG=$CONFIG kubectl get nodes -o wide; }
cluster_down() { rm -f "$CONFIG"; say "the cluster is yours: left alone"; }
cluster_destroy() { cluster_down; }

cluster_ctr() {  # the containerd of the node, where it can be reached: a kind cluster of yours
  [[ ${CONTEXT:-} == kind-* ]] && has_docker || return 3
  docker exec -i "${CONTEXT#kind-}-control-plane" ctr -n k8s.io "$@"
}

cluster_load() {  # archives
  local archive
  for archive in "$@"; do
    if [[ -n ${LOAD_IMAGE:-} ]]; then $LOAD_IMAGE "$archive"
    elif [[ ${CONTEXT:-} == kind-* ]]; then kind load image-archive "$archive" --name "${CONTEXT#kind-}"
    else die "set LOAD_IMAGE to the command that loads an image archive into your cluster (for instance 'minikube image load')."
    fi
  done
}
