# Certificates and configuration files of the embedded cluster. Sourced by embedded.sh.
# shellcheck shell=bash

certificates() {
  openssl x509 -checkend $((30 * 86400)) -noout -in "$PKI/ca.crt" >/dev/null 2>&1 && [[ -f $PKI/sa.pub ]] && return
  rm -rf "$PKI"; mkdir -pm 700 "$PKI"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$NODE-ca" -days 365 -keyout "$PKI/ca.key" -out "$PKI/ca.crt" 2>/dev/null
  certificate apiserver /CN=kube-apiserver "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:$NODE_IP,IP:$API_IP"
  certificate admin /O=system:masters/CN=admin DNS:admin
  certificate kubelet "/O=system:nodes/CN=system:node:$NODE" "DNS:$NODE,IP:$NODE_IP"
  openssl genrsa -out "$PKI/sa.key" 2048 2>/dev/null
  openssl rsa -in "$PKI/sa.key" -pubout -out "$PKI/sa.pub" 2>/dev/null
}

certificate() {  # name subject alternative-names
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$2" -keyout "$PKI/$1.key" -out "$PKI/$1.csr" 2>/dev/null
  openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial -days 365 -out "$PKI/$1.crt" \
    -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=clientAuth,serverAuth\n' "$3") 2>/dev/null
}

kubeconfig() {  # name: for the user of that certificate
  (umask 077; cat > "$HOME_DIR/$1.kubeconfig") <<K
apiVersion: v1
kind: Config
current-context: $NODE
contexts: [{name: $NODE, context: {cluster: $NODE, user: $1}}]
clusters: [{name: $NODE, cluster: {server: "https://$NODE_IP:6443", certificate-authority-data: $(base64 -w0 < "$PKI/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 < "$PKI/$1.crt"), client-key-data: $(base64 -w0 < "$PKI/$1.key")}}]
K
}

configuration() {
  # Before containerd starts: containerd 1.6 misses the rename with which Cilium would put it there.
  echo '{"cniVersion":"1.0.0","name":"cilium","plugins":[{"type":"cilium-cni"}]}' > "$RUN/cni/05-cilium.conflist"
  ln -sfn /usr/lib/cni/loopback "$RUN/cni-bin/loopback"
  ln -sfn "$BIN/cilium-cni" "$RUN/cni-bin/cilium-cni"
  cat > "$RUN/containerd.toml" <<K
version = 2
root = "$HOME_DIR/containerd"
state = "$RUN/containerd"
[grpc]
  address = "$RUN/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$RUN/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "zerotrust.local/pause:1"
  restrict_oom_score_adj = true  # root lacks CAP_SYS_RESOURCE in some virtual machines
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$RUN/cni-bin"
    conf_dir = "$RUN/cni"
K
  cat > "$RUN/kubelet.yaml" <<K
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /$NODE
failCgroupV1: false
containerRuntimeEndpoint: unix://$RUN/containerd.sock
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
resolvConf: ""
failSwapOn: false
serializeImagePulls: false
tlsCertFile: $PKI/kubelet.crt
tlsPrivateKeyFile: $PKI/kubelet.key
podLogsDir: $LOGS/pods
volumePluginDir: $RUN/volume-plugins
evictionHard: {memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
maxPods: 500
kubeAPIQPS: 200
kubeAPIBurst: 400
K
  cat > "$RUN/Corefile" <<K
.:53 {
 errors
 ready
 kubernetes cluster.local {
  kubeconfig $HOME_DIR/admin.kubeconfig
 }
}
K
  cat > "$RUN/dns.yaml" <<K
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec: {clusterIP: $DNS_IP, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
endpoints: [{addresses: [$NODE_IP], conditions: {ready: true}}]
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
K
}
