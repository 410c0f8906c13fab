"""The operator, installed as a user installs it: with Helm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.harness import api, kubectl
from tests.harness.waiting import eventually

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "zerotrust-operator"
NAMESPACE = "zerotrust-system"
RELEASE = "zerotrust"
DEPLOYMENT = "zerotrust-operator"


def dns_peers() -> list[dict[str, object]]:
    """Where this cluster's DNS answers: in kube-system, and on the node where it runs there as a plain process."""
    peers: list[dict[str, object]] = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    ]
    slices = kubectl.items("endpointslices", "-n", "kube-system", "-l", "kubernetes.io/service-name=kube-dns")
    addresses = {address for item in slices for point in item.get("endpoints") or () for address in point["addresses"]}
    nodes = {a["address"] for node in kubectl.items("nodes") for a in node["status"]["addresses"]}
    cidrs: list[dict[str, object]] = [{"ipBlock": {"cidr": f"{address}/32"}} for address in sorted(addresses & nodes)]
    return peers + cidrs


def install(*values: str) -> None:
    """Install or upgrade the operator and wait until it is ready, running what was built last."""
    kubectl.run(
        "helm", "upgrade", "--install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--create-namespace",
        "--set-json", f"sandbox.dnsPeers={json.dumps(dns_peers())}", *values, timeout=180,
    )  # fmt: skip
    stamp = built_image()
    patch = {"spec": {"template": {"metadata": {"annotations": {"zerotrust.dev/test-image": stamp}}}}}
    kubectl.kubectl("-n", NAMESPACE, "patch", "deployment", DEPLOYMENT, "--type=merge", "-p", json.dumps(patch))
    try:
        kubectl.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{DEPLOYMENT}", "--timeout=60s")
    except kubectl.CommandFailed as error:
        raise kubectl.CommandFailed(f"{error}; its last words:\n{logs(15)}") from None


def built_image() -> str:
    """What the operator's image was built from: the same tag may hold something newer than what runs."""
    command = [
        "bash",
        "-c",
        f"cat {ROOT}/operator/Dockerfile $(find {ROOT}/operator/zerotrust -name '*.py' | sort) | sha256sum",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0][:20]


def uninstall() -> None:
    """Uninstall the operator; its own hook sweeps the sandboxes."""
    kubectl.run("helm", "uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--ignore-not-found", timeout=240)


def pod() -> kubectl.Object:
    """The operator's pod."""

    def look() -> kubectl.Object | None:
        found = api.items("pods", NAMESPACE, labels=f"app.kubernetes.io/name={DEPLOYMENT}")
        alive = [item for item in found if "deletionTimestamp" not in item["metadata"]]
        assert len(alive) == 1, f"{len(alive)} operator pods"
        return alive[0]

    return eventually("one operator pod", look)


def metrics() -> str:
    """What the operator shows at /metrics, through the API server's proxy."""
    name = pod()["metadata"]["name"]
    return kubectl.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}:8080/proxy/metrics")


def logs(lines: int = 50) -> str:
    """The operator's last words."""
    return kubectl.kubectl("-n", NAMESPACE, "logs", f"deployment/{DEPLOYMENT}", f"--tail={lines}", check=False)
