# A real one-node cluster as plain processes on Debian, as root: Kubernetes, Cilium, CoreDNS. Sourced by cluster.sh.
#
# The node lives in a network namespace of its own, with addresses set aside for testing (RFC 2544) and no way out: nothing
# leaves the machine. All state is under $HOME_DIR. `down` finds every process through the node's own cgroup.
# shellcheck shell=bash

NODE=ztnode                     # names the network namespace, the cgroups, the veth pair and the Node object
HOST_IP=198.19.255.1 NODE_IP=198.19.255.2 PODS=198.18.0.0/16 SERVICES=198.19.0.0/17 API_IP=198.19.0.1 DNS_IP=198.19.0.10
RUN=$HOME_DIR/run LOGS=$HOME_DIR/logs PKI=$HOME_DIR/pki
PROCESSES=(etcd containerd kube-apiserver kube-controller-manager kube-scheduler kubelet cilium-agent coredns)
OWNER=/run/$NODE.home           # which $HOME_DIR the machine's one embedded cluster belongs to
CGROUP2=$(findmnt -rnt cgroup2 -o TARGET 2>/dev/null | head -1)

# shellcheck source=embedded-build.sh
. "$HERE/embedded-build.sh"
# shellcheck source=embedded-config.sh
. "$HERE/embedded-config.sh"

cluster_kubeconfig() { echo "$HOME_DIR/admin.kubeconfig"; }
cluster_ctr() { ctr -a "$RUN/containerd.sock" -n k8s.io "$@"; }
cluster_load() { local archive; for archive in "$@"; do cluster_ctr images import --all-platforms "$archive" >/dev/null; done; }
in_node() { nsenter --net="/run/netns/$NODE" "$@"; }  # not `ip netns exec`: that would hide /sys/fs/cgroup

# --- processes ---------------------------------------------------------------------------------------------------------------

born() {  # pid: its start time, which tells a reused process id from the old process; nothing for the dead, reaped or not
  awk '{sub(/.*\) /, ""); if ($1 !~ /[ZX]/) print $20}' "/proc/$1/stat" 2>/dev/null
}

alive() {  # name
  local pid at
  read -r pid at 2>/dev/null < "$RUN/$1.pid" && [[ $(born "$pid") == "$at" ]]
}

start() {  # name command...: in the node's network namespace and cgroup; outlives this shell; nothing to do when it runs
  local name=$1 pid; shift
  alive "$name" && return
  (exec 9>&-; echo "$BASHPID" > "$CGROUP2/$NODE/system/cgroup.procs"; exec setsid nsenter --net="/run/netns/$NODE" "$@" >> "$LOGS/$name.log" 2>&1 < /dev/null) &
  pid=$!
  echo "$pid $(born "$pid")" > "$RUN/$name.pid"
}

stop() {  # names...: ask all of them, wait a little, then insist
  local name pid at deadline=$((SECONDS + 3))
  for name in "$@"; do if alive "$name"; then read -r pid at < "$RUN/$name.pid"; kill "$pid" 2>/dev/null || true; fi; done
  for name in "$@"; do
    while alive "$name" && ((SECONDS < deadline)); do sleep 0.05; done
    if alive "$name"; then read -r pid at < "$RUN/$name.pid"; kill -9 "$pid" 2>/dev/null || true; fi
  done
}

answers() {  # port path: HTTP 200 from inside the node
  in_node timeout 2 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "GET %s HTTP/1.0\r\nbrief: true\r\n\r\n" "$2" >&3 && head -1 <&3 | grep -q " 200 "' - "$@"
}
api_ready() { kubectl get --raw /readyz --request-timeout=2s; }
node_ready() { [[ $(kubectl get node $NODE --request-timeout=2s -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]]; }

healthy() {
  local name
  [[ -f $RUN/fingerprint ]] || return 1
  for name in "${PROCESSES[@]}"; do alive "$name" || return 1; done
  api_ready && cluster_ctr version && answers 10248 /healthz && answers 9879 /healthz && answers 8181 /ready && node_ready
}

# --- up ----------------------------------------------------------------------------------------------------------------------

fingerprint() { { cat /proc/sys/kernel/random/boot_id "$HERE"/embedded*.sh "$HERE"/*.yaml "$HERE/versions.env" "$BIN"/.*.inputs; echo "$HOME_DIR"; } | sha256sum; }

cluster_up() {
  prerequisites
  [[ -n $CGROUP2 ]] || die "the embedded cluster needs a cgroup2 file system mounted (usually at /sys/fs/cgroup or /sys/fs/cgroup/unified)."
  only_one
  cluster_build
  export KUBECONFIG; KUBECONFIG=$(cluster_kubeconfig)
  if [[ -f $OWNER && $(cat "$OWNER") != "$HOME_DIR" ]]; then
    die "the embedded cluster of $(cat "$OWNER") is up, and a machine has room for one: stop it with ZT_CLUSTER_HOME=$(cat "$OWNER") $HERE/cluster.sh down"
  fi
  if [[ $(cat "$RUN/fingerprint" 2>/dev/null) == "$(fingerprint)" ]]; then
    if healthy >/dev/null 2>&1; then say "already up: KUBECONFIG=$KUBECONFIG"; return; fi
    say "repairing the cluster ..."
    if start_all && wait_for 45 healthy; then say "ready again: KUBECONFIG=$KUBECONFIG"; return; fi
    say "beyond repair: starting afresh ..."
  fi
  clear_all
  say "starting Kubernetes $KUBERNETES with Cilium $CILIUM ..."
  echo "$HOME_DIR" > "$OWNER"
  rm -rf "$LOGS"
  start_all && wait_for 90 healthy || die "the cluster did not start; its logs are in $LOGS"
  say "ready: KUBECONFIG=$KUBECONFIG"
}

start_all() {
  local fresh=false
  [[ -d $HOME_DIR/etcd ]] || fresh=true
  mkdir -p "$RUN"/{cni,cni-bin,bpffs,cgroup2,cilium/state} "$LOGS"
  node_cgroups; node_network
  certificates; kubeconfig admin; kubeconfig kubelet; configuration
  start etcd etcd --data-dir "$HOME_DIR/etcd" --unsafe-no-fsync --log-level warn
  start containerd containerd -c "$RUN/containerd.toml"
  start_api_server
  wait_for 20 cluster_ctr version || return 1
  if $fresh; then drop_containers; fi
  cluster_load "$HOME_DIR/pause.tar"
  wait_for 45 api_ready || return 1
  start_control_loops
  start kubelet "$BIN/kubelet" --config="$RUN/kubelet.yaml" --kubeconfig="$HOME_DIR/kubelet.kubeconfig" --root-dir="$HOME_DIR/kubelet" --hostname-override=$NODE --node-ip=$NODE_IP
  kubectl apply --server-side --force-conflicts -f "$HOME_DIR/bpf/crds.yaml" -f "$RUN/dns.yaml" >> "$LOGS/kubectl.log" 2>&1 || return 1
  start_cilium
  start coredns "$BIN/coredns" -conf "$RUN/Corefile"
  fingerprint > "$RUN/fingerprint"
}

node_cgroups() {  # the node's own branch in every hierarchy: pods go below it, and so does everything the node runs
  local root
  for root in $(findmnt -rnt cgroup,cgroup2 -o TARGET); do mkdir -p "$root/$NODE"; done
  mkdir -p "$CGROUP2/$NODE/system"
  # Cilium wants a mount point for its socket programs; this one holds only the node's processes, not the machine's.
  mountpoint -q "$RUN/cgroup2" || mount --bind "$CGROUP2/$NODE" "$RUN/cgroup2"
  mountpoint -q "$RUN/bpffs" || mount -t bpf bpf "$RUN/bpffs"
}

node_network() {
  [[ -e /run/netns/$NODE ]] || ip netns add $NODE
  in_node ip link show ${NODE}1 >/dev/null 2>&1 || { ip link del ${NODE}0 2>/dev/null || true; ip link add ${NODE}0 type veth peer name ${NODE}1 netns $NODE; }
  ip addr replace $HOST_IP/30 dev ${NODE}0; ip link set ${NODE}0 up
  in_node ip link set lo up
  in_node ip addr replace $NODE_IP/30 dev ${NODE}1; in_node ip link set ${NODE}1 up
  in_node ip route replace default via $HOST_IP
  in_node sysctl -qw net.ipv4.ip_forward=1
}

start_api_server() {
  start kube-apiserver "$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --advertise-address=$NODE_IP --secure-port=6443 \
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" --client-ca-file="$PKI/ca.crt" \
    --service-account-issuer=https://kubernetes.default.svc --service-account-signing-key-file="$PKI/sa.key" --service-account-key-file="$PKI/sa.pub" \
    --service-cluster-ip-range=$SERVICES --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --kubelet-client-certificate="$PKI/admin.crt" --kubelet-client-key="$PKI/admin.key" --kubelet-certificate-authority="$PKI/ca.crt" \
    --kubelet-preferred-address-types=InternalIP \
    --audit-policy-file="$HERE/audit-policy.yaml" --audit-log-path="$LOGS/audit.log" --audit-log-maxsize=200 --audit-log-maxbackup=1
}

start_control_loops() {
  start kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig="$KUBECONFIG" --leader-elect=false --use-service-account-credentials \
    --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/ca.crt" --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" \
    --allocate-node-cidrs --cluster-cidr=$PODS --node-cidr-mask-size=17 --service-cluster-ip-range=$SERVICES
  start kube-scheduler "$BIN/kube-scheduler" --kubeconfig="$KUBECONFIG" --leader-elect=false
}

start_cilium() {  # no Cilium operator: the CRDs are applied and addresses come from the Node. Policies apply within a second, ipBlock to pods too
  GOPS_CONFIG_DIR=$RUN/gops K8S_NODE_NAME=$NODE CILIUM_K8S_NAMESPACE=kube-system start cilium-agent "$BIN/cilium-agent" --k8s-kubeconfig-path="$KUBECONFIG" --enable-ipv6=false \
    --routing-mode=native --ipv4-native-routing-cidr=198.18.0.0/15 --enable-ipv4-masquerade=false --ipam=kubernetes --kube-proxy-replacement=true --devices=${NODE}1 \
    --bpf-root="$RUN/bpffs" --cgroup-root="$RUN/cgroup2" --lib-dir="$HOME_DIR/bpf" --state-dir="$RUN/cilium/state" \
    --policy-cidr-match-mode=nodes,pods --identity-allocation-mode=crd --identity-change-grace-period=1s --identity-max-jitter=1ms \
    --enable-l7-proxy=false --enable-health-checking=false --enable-endpoint-health-checking=false \
    --enable-hubble --hubble-disable-tls --hubble-export-file-path="$LOGS/flows.json" --hubble-export-file-max-size-mb=200 --hubble-export-file-max-backups=1
}

# --- down --------------------------------------------------------------------------------------------------------------------

drop_containers() {  # of a cluster that is gone; their images stay
  local ids
  ids=$(cluster_ctr containers ls -q)
  [[ -n $ids ]] || return 0
  cluster_ctr tasks ls -q | xargs -r -n1 -P8 "$(command -v ctr)" -a "$RUN/containerd.sock" -n k8s.io tasks rm -f >/dev/null 2>&1 || true
  xargs -r "$(command -v ctr)" -a "$RUN/containerd.sock" -n k8s.io containers rm <<< "$ids" >/dev/null 2>&1 || true
}

end_all_processes() {  # whatever is left in the node's cgroup: shims, pods, anything that lost its pid file
  local deadline=$((SECONDS + 10)) left
  while :; do
    left=$(find "$CGROUP2/$NODE" -name cgroup.procs -exec cat {} + 2>/dev/null) || true
    [[ -n $left ]] || return 0
    ((SECONDS < deadline)) || { say "these processes do not end:" $left; return 1; }
    kill -9 $left 2>/dev/null || true
    sleep 0.05
  done
}

unmount_below() {  # folders...
  local folder mount
  for folder in "$@"; do
    for mount in $(findmnt -rno TARGET | awk -v "f=$folder" '$0 == f || index($0, f "/") == 1' | sort -r); do
      umount "$mount" 2>/dev/null || umount -l "$mount"
    done
  done
}

clear_all() {
  local root n
  stop kubelet kube-scheduler kube-controller-manager
  if alive containerd; then drop_containers || true; fi
  stop coredns cilium-agent kube-apiserver containerd etcd
  end_all_processes
  unmount_below "$HOME_DIR"/{kubelet,run,containerd}
  for n in $(ip netns list | awk '/^cni-/ {print $1}'); do  # those of our pods: nobody uses them any more
    [[ -n $(ip netns pids "$n" 2>/dev/null) ]] || ip netns del "$n" 2>/dev/null || true
  done
  ip netns del $NODE 2>/dev/null || true
  if [[ -d /run/netns && -z $(ls /run/netns) ]]; then umount /run/netns 2>/dev/null || true; rmdir /run/netns 2>/dev/null || true; fi
  ip link del ${NODE}0 2>/dev/null || true
  for root in $(findmnt -rnt cgroup,cgroup2 -o TARGET); do
    if [[ -d $root/$NODE ]]; then find "$root/$NODE" -depth -type d -exec rmdir {} + 2>/dev/null || true; fi
  done
  find /var/log/containers -lname "$LOGS/*" -delete 2>/dev/null || true
  rm -rf "$RUN" "$HOME_DIR/etcd" "$HOME_DIR/kubelet"
  if [[ $(cat "$OWNER" 2>/dev/null) == "$HOME_DIR" ]]; then rm -rf /run/cilium "$OWNER"; fi
}

cluster_down() {
  prerequisites; only_one
  if [[ -f $OWNER && $(cat "$OWNER") != "$HOME_DIR" ]]; then die "the embedded cluster that is up belongs to $(cat "$OWNER")."; fi
  clear_all
  unmount_below "$HOME_DIR"  # buildah keeps its storage mounted
  say "down"
}
cluster_destroy() { cluster_down; rm -rf "$HOME_DIR"; }

cluster_status() {
  local name ok=0
  for name in "${PROCESSES[@]}"; do if alive "$name"; then echo "up    $name"; else echo "DOWN  $name"; ok=1; fi; done
  export KUBECONFIG; KUBECONFIG=$(cluster_kubeconfig)
  if ((ok == 0)); then kubectl get nodes -o wide && healthy >/dev/null 2>&1 || ok=1; fi
  return $ok
}
