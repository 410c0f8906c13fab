"""Probes, namespaces and credentials as they are created."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.support import BOTH, parsed
from zerotrust.contract import Plan, Serve, Tls, load_plan
from zerotrust.core.wallet import Treasury, mint
from zerotrust.sandbox import credentials, namespaces, probes
from zerotrust.sandbox.names import EXPIRES, PROBE, RUN, TEST, TEST_UID, Object, Owner, place_namespace
from zerotrust.trust.svid import Credential

OWNER = Owner("r1", "uid", "team/shop")
NAMESPACE = "zt-r1-shop"
NOW = datetime(2027, 3, 31, tzinfo=UTC)


def job(place: str = "ann", **labels: str) -> Object:
    return probes.job(OWNER, NAMESPACE, place, "probe:1", place, labels, 300.0)


def pod(found: Object) -> dict[str, Any]:
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


@pytest.fixture(scope="module")
def treasury() -> Treasury:
    return mint(parsed(), [], {}, NOW)


def test_a_probe_lives_under_restricted_pod_security() -> None:
    """The standard's own list: kubernetes.io/docs/concepts/security/pod-security-standards."""
    spec = pod(job())
    (container,) = spec["containers"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert [set(volume) - {"name"} for volume in spec["volumes"]] == [{"secret"}]
    assert not any("hostPort" in port for port in container["ports"])


def test_a_probe_has_no_token_and_no_environment_of_the_clusters_services() -> None:
    spec = pod(job())

    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["serviceAccountName"] == "ann"


def test_a_probe_never_becomes_an_endpoint() -> None:
    assert pod(job())["readinessGates"] == [{"conditionType": probes.NEVER_READY}]


def test_a_probe_has_to_be_reached_by_the_kubelet_on_its_own_port() -> None:
    (container,) = pod(job())["containers"]

    assert container["startupProbe"]["tcpSocket"] == {"port": probes.LISTEN_PORT}
    assert container["ports"] == [{"containerPort": probes.LISTEN_PORT}]
    assert container["resources"]["limits"]["memory"]


def test_a_probe_is_tried_once_and_ends() -> None:
    spec = job()["spec"]

    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert spec["activeDeadlineSeconds"] > 300
    assert spec["ttlSecondsAfterFinished"] >= 0


def test_a_probe_wears_its_identitys_labels_and_the_runs() -> None:
    labels = job(app="ann", tier="x")["spec"]["template"]["metadata"]["labels"]

    assert labels == {"app": "ann", "tier": "x", **OWNER.labels, PROBE: "ann"}


def test_no_declared_label_takes_the_place_of_the_operators_own() -> None:
    labels = job(**{PROBE: "bob", RUN: "r9", TEST_UID: "other"})["spec"]["template"]["metadata"]["labels"]

    assert labels == {**OWNER.labels, PROBE: "ann"}


def test_a_probes_secret_holds_its_plan_and_only_the_credentials_that_it_shows() -> None:
    known = {name: Credential(f"{name} certificate\n", f"{name} key\n") for name in ("ann", "bob", "canary")}
    asks = (replace(BOTH, tls=None), replace(BOTH, tls=Tls("web", "ann")), BOTH)
    plan = Plan("r1", "ann", asks, 60, 18443, serve=Serve((1,), "canary"))

    data = probes.secret(OWNER, NAMESPACE, "zt-probe-ann", plan, known)["stringData"]

    assert load_plan(data.pop("plan.json")) == plan
    assert data == {"ann.pem": "ann certificate\nann key\n", "canary.pem": "canary certificate\ncanary key\n"}


def test_names_of_probes_fit_into_labels() -> None:
    assert len(probes.job_name("x" * 40)) <= 63


def test_a_place_outside_of_every_zone_is_outside() -> None:
    assert place_namespace(OWNER, "ann", {"ann": "shop"}) == NAMESPACE
    assert place_namespace(OWNER, "outsider", {"ann": "shop"}) == OWNER.outside == "zt-r1-outside"


# namespaces


def test_a_namespace_is_marked_bounded_and_under_pod_security_from_the_first_moment() -> None:
    found = namespaces.namespace(OWNER, "shop", "restricted", "2027-03-31T12:00:00Z")

    assert found["metadata"]["name"] == NAMESPACE
    assert found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert OWNER.labels.items() <= found["metadata"]["labels"].items()
    assert found["metadata"]["annotations"] == {TEST: "team/shop", EXPIRES: "2027-03-31T12:00:00Z"}
    assert len(OWNER.namespace("x" * 40)) <= 63


def test_a_sandbox_cannot_reach_out_or_keep_anything() -> None:
    hard = namespaces.quota(OWNER, NAMESPACE)["spec"]["hard"]

    for kind in ("services.nodeports", "services.loadbalancers", "persistentvolumeclaims"):
        assert hard[kind] == "0"
    assert int(hard["pods"]) > 0


def test_the_operator_binds_a_fixed_role_and_to_itself_only() -> None:
    found = namespaces.own_rights(OWNER, NAMESPACE, "role", "account", "system")

    assert found["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "role"}
    assert found["subjects"] == [{"kind": "ServiceAccount", "name": "account", "namespace": "system"}]


# credentials


def test_an_identity_gets_its_certificate_under_the_key_names_of_cert_manager(treasury: Treasury) -> None:
    found = credentials.certificate(OWNER, NAMESPACE, "ann", treasury)

    assert (found["metadata"]["name"], found["type"]) == ("ann-tls", "kubernetes.io/tls")
    assert set(found["stringData"]) == {"tls.crt", "tls.key", "ca.crt"}
    assert found["stringData"]["tls.crt"] == treasury.served["ann"].certificate
    assert found["stringData"]["ca.crt"] == treasury.authority.ca_pem


def test_a_zone_gets_what_it_needs_to_verify_the_others_and_no_key(treasury: Treasury) -> None:
    data = credentials.trust(OWNER, NAMESPACE, treasury, NOW)["data"]

    assert set(data) == {"ca.crt", "crl.pem", "jwks.json", "issuer"}
    assert data["issuer"] == "https://issuer.shop.test"
    assert {key["kty"] for key in json.loads(data["jwks.json"])["keys"]} == {"RSA", "EC"}
    assert not any("d" in key for key in json.loads(data["jwks.json"])["keys"])
    assert not any("PRIVATE" in text for text in data.values())


def test_an_account_mounts_no_token_unless_a_workload_asks() -> None:
    assert credentials.service_account(OWNER, NAMESPACE, "ann")["automountServiceAccountToken"] is False
