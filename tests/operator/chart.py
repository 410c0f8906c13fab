"""The chart installed on a real API server, and hands to try what it allows: kubectl, helm, impersonation."""

import json
import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from zerotrust.render import ROOT

CHART = ROOT / "charts" / "zerotrust-operator"
CRD = "zerotrusttests.zerotrust.dev"
SANDBOX = {
    "app.kubernetes.io/managed-by": "zerotrust-operator",
    "pod-security.kubernetes.io/enforce": "restricted",
}
RESULTS = {"zerotrust.dev/results": "true"}
OPERATOR = "app.kubernetes.io/name=zerotrust-operator"
TEST: dict[str, Any] = {
    "apiVersion": "zerotrust.dev/v1alpha1",
    "kind": "ZeroTrustTest",
    "metadata": {"name": "shop"},
    "spec": {
        "sandbox": {"zones": [{"name": "shop"}]},
        "identities": [{"name": "orders", "zone": "shop"}, {"name": "checkout", "zone": "shop"}],
        "boundaries": [
            {
                "name": "orders",
                "service": {"name": "orders", "zone": "shop", "port": 8443},
                "server": "orders",
                "network": {"allow": ["checkout"]},
            }
        ],
        "run": {"suspend": True},
    },
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed and whether it succeeded."""

    ok: bool
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        assert self.ok, self.err
        answer: dict[str, Any] = json.loads(self.out)
        return answer


def program(name: str) -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zerotrust-cluster"
    own = Path(os.environ.get("ZT_CLUSTER_HOME") or cache) / "bin"
    found = shutil.which(name, path=os.pathsep.join([str(own), os.environ.get("PATH", "")]))
    assert found, f"{name} is neither in {own} nor on the PATH"
    return found


def call(name: str, *arguments: str, document: dict[str, Any] | None = None) -> Answer:
    assert os.environ.get("KUBECONFIG"), "set KUBECONFIG to the cluster that these tests may change"
    done = subprocess.run(
        [program(name), *arguments],
        input=None if document is None else json.dumps(document),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Answer(done.returncode == 0, done.stdout, done.stderr)


def kubectl(*arguments: str, document: dict[str, Any] | None = None, user: str = "") -> Answer:
    return call("kubectl", *([f"--as={user}"] if user else []), *arguments, document=document)


def create(document: dict[str, Any], *options: str, user: str = "", namespace: str = "default") -> Answer:
    placed = ["-n", namespace, "create", "-f", "-", "-o", "json", *options]
    return kubectl(*placed, document=document, user=user)


def helm(*arguments: str) -> Answer:
    answer = call("helm", *arguments)
    assert answer.ok, answer.err
    return answer


def eventually(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"


def namespace(name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}}


def config_map(name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}}


def role_binding(kind: str, role: str, *subjects: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"b-{uuid.uuid4().hex[:8]}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": list(subjects),
    }


def spec_with(**changes: object) -> dict[str, Any]:
    """The test with a part of its first boundary or, for ``identities``, of its spec replaced."""
    test = deepcopy(TEST)
    if "identities" in changes:
        test["spec"]["identities"] = changes.pop("identities")
    test["spec"]["boundaries"][0].update(changes)
    return test


@dataclass(frozen=True, slots=True)
class Release:
    """An installation of the chart, and the namespaces that belong to these tests."""

    name: str
    home: str
    team: str
    sandbox: str
    owns_crd: bool

    @property
    def options(self) -> list[str]:
        values = {
            "fullnameOverride": self.name,
            "image.tag": "absent",
            "image.pullPolicy": "Never",
            "crds.install": str(self.owns_crd).lower(),
            # the image is absent, so the Job could not run; its rights are tried by themselves
            "cleanup.enabled": "false",
        }
        return ["-n", self.home, *(f"--set={key}={value}" for key, value in values.items())]

    @property
    def account(self) -> dict[str, str]:
        return {"kind": "ServiceAccount", "name": self.name, "namespace": self.home}

    @property
    def operator(self) -> str:
        return f"system:serviceaccount:{self.home}:{self.name}"

    def may(self, verb: str, resource: str, *options: str) -> bool:
        return kubectl("auth", "can-i", verb, resource, *options, user=self.operator).out.strip() == "yes"

    def tries(self, document: dict[str, Any], where: str = "default") -> Answer:
        """Ask the API server as the operator, without an effect."""
        return create(document, "--dry-run=server", user=self.operator, namespace=where)


def refused_by(answer: Answer, policy: str) -> bool:
    """By a rule of the policy: a policy that cannot be evaluated refuses everything, which proves nothing.

    The policy on authors is about everybody, so another installation on this cluster may be the first to refuse.
    """
    prefix, _, rule = policy.rpartition("-")
    names = "[^']+" if rule == "authors" else re.escape(prefix)
    named = re.search(f"ValidatingAdmissionPolicy '{names}-{rule}'", answer.err) is not None
    return not answer.ok and named and "resulted in error" not in answer.err


def wait_for_policies(release: Release) -> None:
    """Admission policies take effect a moment after they are created."""
    bind = role_binding("ClusterRole", f"{release.name}-sandbox", release.account)
    kubectl("-n", release.team, "create", "rolebinding", "ada", f"--clusterrole={release.name}-edit", "--user=ada")

    def refused(name: str, document: dict[str, Any], user: str) -> bool:
        answer = create(document, "--dry-run=server", user=user, namespace=release.team)
        return refused_by(answer, f"{release.name}-{name}")

    for name, document, user in (
        ("namespaces", namespace("plain"), release.operator),
        ("rolebindings", bind, release.operator),
        ("configmaps", config_map("x"), release.operator),
        ("authors", TEST, "ada"),
    ):
        eventually(partial(refused, name, document, user), f"policy {name} takes effect")


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """No operator at work: it would sweep away sandboxes that belong to no test. Whoever is here pauses meanwhile."""
    found = kubectl("get", "deployments", "-A", "-o", "json", "-l", f"{OPERATOR},app.kubernetes.io/component=operator")
    paused = [
        (["-n", item["metadata"]["namespace"], f"deployment/{item['metadata']['name']}"], item["spec"]["replicas"])
        for item in found.json()["items"]
    ]
    try:
        for deployment, _ in paused:
            assert kubectl("scale", "--replicas=0", *deployment).ok
        pods = ["get", "pods", "-A", "-o", "name", "-l", f"{OPERATOR},app.kubernetes.io/component=operator"]
        eventually(lambda: not kubectl(*pods).out.strip(), "operators at rest")
        yield
    finally:
        for deployment, replicas in paused:
            kubectl("scale", f"--replicas={replicas}", *deployment)


@pytest.fixture(scope="module")
def release(alone: None) -> Iterator[Release]:
    mark = uuid.uuid4().hex[:8]
    foreign = kubectl("get", "crd", CRD).ok  # somebody's CRD, and his tests, stay as they are
    release = Release(f"chart-{mark}", f"home-{mark}", f"team-{mark}", f"zt-{mark}-shop", not foreign)
    try:
        helm("install", release.name, str(CHART), *release.options, "--create-namespace")
        for document in (namespace(release.team), namespace(release.sandbox, SANDBOX)):
            assert create(document).ok
        kubectl("wait", "--for=condition=Established", f"crd/{CRD}", "--timeout=60s")
        wait_for_policies(release)
        yield release
    finally:
        call("helm", "uninstall", release.name, "-n", release.home, "--ignore-not-found")
        kubectl(
            "delete",
            "namespace",
            release.home,
            release.team,
            release.sandbox,
            "--ignore-not-found",
            "--wait=false",
        )


@pytest.fixture(scope="module")
def bound(release: Release) -> Release:
    """The operator has bound its role to itself in the sandbox, as it does first thing in each."""
    binding = role_binding("ClusterRole", f"{release.name}-sandbox", release.account)
    answer = create(binding, user=release.operator, namespace=release.sandbox)
    assert answer.ok, answer.err
    return release
