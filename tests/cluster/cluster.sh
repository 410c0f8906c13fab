#!/bin/bash
# A real Kubernetes cluster to test on, whatever the machine has. Usage: cluster.sh COMMAND
#
#   up           start it, or repair it; nothing to do when it runs          build    make what `up` needs, start nothing
#   down         stop it and leave nothing behind (built things are kept)    destroy  down, and forget what was built
#   status       what runs; fails unless all of it does                      load     ARCHIVE...: image archives into the nodes
#   kubeconfig   print the path of its kubeconfig                            ctr      ARGS...: the node's containerd client
#   env          print what a shell needs: KUBECONFIG, PATH, log files       kind     print which kind of cluster is meant
#
# CLUSTER=current   the cluster of KUBECONFIG, and in it only the context named by CONTEXT=<name>
# CLUSTER=kind      Kubernetes in Docker (the choice where a Docker daemon answers)
# CLUSTER=embedded  Kubernetes and Cilium as plain processes on this machine (Debian as root; the choice elsewhere)
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
# shellcheck source=versions.env
. "$HERE/versions.env"
# shellcheck source=lib.sh
. "$HERE/lib.sh"

choose() {
  case ${CLUSTER:-auto} in
    current | kind | embedded) echo "$CLUSTER" ;;
    auto) if has_docker; then echo kind; else echo embedded; fi ;;
    *) die "CLUSTER is current, kind or embedded, not '$CLUSTER'." ;;
  esac
}

environment() {
  echo "export KUBECONFIG='$(cluster_kubeconfig)' PATH='$BIN':\"\$PATH\" KUBECACHEDIR='$KUBECACHEDIR'"
  if [[ $MODE == embedded ]]; then echo "export ZT_AUDIT_LOG='$LOGS/audit.log' ZT_FLOW_LOG='$LOGS/flows.json'"; fi
}

MODE=$(choose)
# shellcheck source=embedded.sh
. "$HERE/$MODE.sh"
COMMAND=${1:-}; shift || true
case $COMMAND in
  build | up | down | destroy | status | kubeconfig | load | ctr) "cluster_$COMMAND" "$@" ;;
  env) environment ;;
  kind) echo "$MODE" ;;
  *) sed -n 's/^# \{0,1\}//; 2,/^set/{/^set/!p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
