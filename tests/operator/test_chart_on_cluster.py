"""The chart and the CRD on a real API server: what is accepted, what is refused, what stays behind.

No operator runs here: its image is absent on purpose, and its rights are tried by impersonation.
"""

import json
import shutil
import uuid
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operator.chart import (
    CHART,
    CRD,
    RESULTS,
    SANDBOX,
    TEST,
    Answer,
    Release,
    alone,
    bound,
    config_map,
    create,
    eventually,
    helm,
    kubectl,
    namespace,
    refused_by,
    release,
    role_binding,
    spec_with,
)

__all__ = ["alone", "bound", "release"]  # fixtures: pytest finds them by name
pytestmark = pytest.mark.e2e


# the resource


def test_a_new_test_has_defaults_and_a_status_that_says_nobody_has_looked_yet(release: Release) -> None:
    made = create(TEST, namespace=release.team).json()
    assert made["status"] == {"observedGeneration": -1}
    assert (made["spec"]["run"]["timeout"], made["spec"]["run"]["gate"]) == ("5m", "Enforce")
    assert made["spec"]["sandbox"]["zones"][0]["networkPolicies"] == "Generated"


def test_tests_can_be_listed_by_their_short_name_and_selected_by_field(release: Release) -> None:
    eventually(
        lambda: kubectl("-n", release.team, "get", "ztt", "--field-selector=spec.run.suspend=true", "-o", "name").ok,
        "field selection",
    )
    header = kubectl("-n", release.team, "get", "ztt").out.splitlines()[0].split()
    assert header == ["NAME", "READY", "VERDICT", "PASS", "BREACH", "LOCKOUT", "LAST-RUN", "AGE"]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (spec_with(network={"allow": ["nobody"]}), "network.allow names somebody who is not in identities"),
        (spec_with(mtls={"allow": ["nobody"]}), "mtls.allow names somebody who is not in identities"),
        (spec_with(server="nobody"), "server is not in identities"),
        (spec_with(service={"name": "orders", "zone": "no", "port": 1}), "service.zone is not in sandbox"),
        (spec_with(identities=[{"name": "orders", "zone": "no"}]), "zone is not in sandbox.zones"),
        (spec_with(identities=[{"name": "outsider", "zone": "shop"}]), "names of the operator's own"),
        (spec_with(jwt={"audience": "orders"}), "jwt needs http"),
        (spec_with(service={"name": "orders", "zone": "shop", "port": 70000}), "less than or equal to 65535"),
        ({**TEST, "spec": {}}, "Required value"),
    ],
)  # fmt: skip
def test_a_contradictory_spec_is_refused_at_the_door(release: Release, document: dict[str, Any], why: str) -> None:
    answer = create(document, "--dry-run=server", "--validate=false", namespace=release.team)
    assert not answer.ok
    assert why in answer.err


# the operator's rights


def test_the_operator_reads_no_secrets_anywhere(bound: Release) -> None:
    for where in ("-A", f"-n={bound.home}", f"-n={bound.team}", f"-n={bound.sandbox}", "-n=kube-system"):
        assert not any(bound.may(verb, "secrets", where) for verb in ("get", "list", "watch")), where


def test_the_operator_has_no_rights_beyond_its_own_outside_sandboxes(release: Release) -> None:
    wanted = (
        "pods",
        "deployments.apps",
        "jobs.batch",
        "roles.rbac.authorization.k8s.io",
        "secrets",
        "services",
    )
    assert not [resource for resource in wanted if release.may("create", resource, f"-n={release.team}")]
    for verb, resource in (
        ("*", "*"),
        ("list", "configmaps"),
        ("update", "zerotrusttests.zerotrust.dev"),
        ("patch", "zerotrusttests.zerotrust.dev"),
        ("bind", "clusterroles.rbac.authorization.k8s.io/cluster-admin"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("escalate", "clusterroles.rbac.authorization.k8s.io"),
        ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
        ("create", "serviceaccounts/token"),
        ("impersonate", "users"),
    ):
        assert not release.may(verb, resource), f"{verb} {resource}"


def test_the_operator_may_do_what_it_must_for_its_tests(release: Release) -> None:
    everywhere = f"-n={release.team}"
    for verb, resource, *more in (
        ("watch", "zerotrusttests.zerotrust.dev"),
        ("patch", "zerotrusttests.zerotrust.dev", "--subresource=status", everywhere),
        ("get", "configmaps", everywhere),
        ("create", "events", everywhere),
        ("create", "events.events.k8s.io", everywhere),
        ("watch", "namespaces"),
    ):
        assert release.may(verb, resource, *more), f"{verb} {resource}"
    assert release.tries(config_map("shop-results", RESULTS), release.team).ok


def test_the_operator_runs_a_sandbox_from_birth_to_death(release: Release) -> None:
    name = f"zt-{uuid.uuid4().hex[:8]}-outside"
    me = release.operator
    made = create(namespace(name, SANDBOX), user=me)
    assert made.ok, made.err
    bind = create(role_binding("ClusterRole", f"{release.name}-sandbox", release.account), user=me, namespace=name)
    assert bind.ok, bind.err
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "orders-tls"},
        "stringData": {"tls.key": "k"},
    }
    eventually(lambda: create(secret, user=me, namespace=name).ok, "a Secret in the sandbox")
    assert "forbidden" in kubectl("-n", name, "get", "secret", "orders-tls", user=me).err.lower()
    for verb, resource, *more in (
        ("create", "deployments.apps"),
        ("create", "jobs.batch"),
        ("create", "networkpolicies.networking.k8s.io"),
        ("create", "resourcequotas"),
        ("create", "configmaps"),
        ("get", "pods", "--subresource=log"),
        ("watch", "pods"),
        ("list", "endpointslices.discovery.k8s.io"),
    ):
        assert release.may(verb, resource, f"-n={name}", *more), f"{verb} {resource}"
    assert not release.may("create", "pods", f"-n={name}", "--subresource=exec")
    assert create(config_map("trust"), user=me, namespace=name).ok
    assert kubectl("delete", "namespace", name, "--wait=false", user=me).ok
    eventually(lambda: not kubectl("get", "namespace", name).ok, "the sandbox is gone")


def test_the_operator_binds_roles_only_in_sandboxes(release: Release) -> None:
    own = role_binding("ClusterRole", f"{release.name}-sandbox", release.account)
    for where in (release.team, release.home, "kube-system"):
        assert refused_by(release.tries(own, where), f"{release.name}-rolebindings"), where
    assert release.tries(own, release.sandbox).ok


def test_the_operator_binds_no_other_cluster_role_and_its_own_to_nobody_else(bound: Release) -> None:
    for role in ("cluster-admin", "admin", "view"):
        answer = bound.tries(role_binding("ClusterRole", role, bound.account), bound.sandbox)
        assert not answer.ok, role
        assert "forbidden" in answer.err.lower()
    workload = {"kind": "ServiceAccount", "name": "orders", "namespace": bound.sandbox}
    stranger = {"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"}
    for subject in (workload, stranger):
        answer = bound.tries(role_binding("ClusterRole", f"{bound.name}-sandbox", subject), bound.sandbox)
        assert refused_by(answer, f"{bound.name}-rolebindings")


def test_a_role_among_the_manifests_is_for_workloads_and_within_the_operators_own_rights(
    bound: Release,
) -> None:
    def role(name: str, resource: str) -> dict[str, Any]:
        rules = [{"apiGroups": [""], "resources": [resource], "verbs": ["get"]}]
        kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}
        return {**kind, "metadata": {"name": name}, "rules": rules}

    made = create(role("reader", "configmaps"), user=bound.operator, namespace=bound.sandbox)
    assert made.ok, made.err
    workload = {"kind": "ServiceAccount", "name": "orders", "namespace": bound.sandbox}
    everybody = {"kind": "Group", "name": "system:authenticated", "apiGroup": "rbac.authorization.k8s.io"}
    assert bound.tries(role_binding("Role", "reader", workload), bound.sandbox).ok
    assert refused_by(
        bound.tries(role_binding("Role", "reader", everybody), bound.sandbox), f"{bound.name}-rolebindings"
    )
    assert "forbidden" in bound.tries(role("thief", "secrets"), bound.sandbox).err.lower()


@pytest.mark.parametrize(
    "document",
    [
        namespace("zt-unlabelled-shop"),
        namespace("shop", SANDBOX),
        namespace("zt-unguarded-shop", {"app.kubernetes.io/managed-by": "zerotrust-operator"}),
        namespace("zt-privileged-shop", {**SANDBOX, "pod-security.kubernetes.io/enforce": "privileged"}),
    ],
    ids=lambda document: document["metadata"]["name"],
)
def test_the_operator_creates_no_namespace_but_sandboxes(release: Release, document: dict[str, Any]) -> None:
    assert refused_by(release.tries(document), f"{release.name}-namespaces")


def test_the_operator_cannot_delete_take_over_or_let_go_of_a_namespace(release: Release) -> None:
    def patch(name: str, labels: dict[str, str | None]) -> Answer:
        body = json.dumps({"metadata": {"labels": labels}})
        return kubectl("patch", "namespace", name, "-p", body, "--dry-run=server", user=release.operator)

    policy = f"{release.name}-namespaces"
    assert refused_by(kubectl("delete", "namespace", release.team, "--dry-run=server", user=release.operator), policy)
    assert refused_by(patch(release.team, {**SANDBOX}), policy)
    assert refused_by(patch(release.sandbox, {"app.kubernetes.io/managed-by": None}), policy)
    assert refused_by(patch(release.sandbox, {"pod-security.kubernetes.io/enforce": "privileged"}), policy)
    assert patch(release.sandbox, {"zerotrust.dev/expires": "later"}).ok


def test_the_operator_writes_no_config_map_beside_tests_but_its_results(release: Release) -> None:
    policy = f"{release.name}-configmaps"
    for document in (config_map("settings"), config_map("shop-results"), config_map("settings", RESULTS)):
        assert refused_by(release.tries(document, release.team), policy)
    assert create(config_map("annual-results"), namespace=release.team).ok
    for change in ({"data": {"x": "y"}}, {"metadata": {"labels": RESULTS}}):
        patch = ["patch", "configmap", "annual-results", "-p", json.dumps(change), "--dry-run=server"]
        assert refused_by(kubectl("-n", release.team, *patch, user=release.operator), policy)


# authors


def test_an_author_who_could_not_run_the_workloads_is_refused_and_told_what_to_ask_for(
    release: Release,
) -> None:
    assert kubectl("auth", "can-i", "create", "ztt", "-n", release.team, user="ada").out.strip() == "yes"
    answer = create(TEST, "--dry-run=server", user="ada", namespace=release.team)
    assert refused_by(answer, f"{release.name}-authors")
    assert "you may not create deployments.apps" in answer.err
    assert "ask an administrator for the ClusterRole edit" in answer.err


def test_the_cluster_role_edit_is_all_an_author_needs(release: Release) -> None:
    kubectl("-n", release.team, "create", "rolebinding", "grace", "--clusterrole=edit", "--user=grace")
    test = deepcopy(TEST)
    test["metadata"]["name"] = "graces"

    def accepted() -> bool:
        return create(test, "--dry-run=server", user="grace", namespace=release.team).ok

    eventually(accepted, "the aggregated role lets its holder create a test")


# installing, upgrading, going away


def test_cleaning_up_deletes_sandboxes_and_may_delete_nothing_else(release: Release) -> None:
    """What the uninstall hook brings, applied by hand: first its rights alone, then the Job."""
    name = f"{release.name}-cleanup"
    options = [*release.options[:2], f"--set=fullnameOverride={release.name}", "--set=image.pullPolicy=Never"]
    rendered = helm("template", release.name, str(CHART), *options, "--show-only=templates/cleanup.yaml").out
    parts = [part for part in yaml.safe_load_all(rendered) if part]
    job = next(part for part in parts if part["kind"] == "Job")
    rights = {"apiVersion": "v1", "kind": "List", "items": [part for part in parts if part is not job]}
    user = f"system:serviceaccount:{release.home}:{name}"

    def delete(victim: str) -> Answer:
        return kubectl("delete", "namespace", victim, "--dry-run=server", user=user)

    try:
        made = kubectl("-n", release.home, "create", "-f", "-", document=rights)
        assert made.ok, made.err
        eventually(lambda: refused_by(delete(release.team), name), "the policy of the clean-up")
        eventually(lambda: delete(release.sandbox).ok, "the rights of the clean-up")
        assert kubectl("auth", "can-i", "list", "namespaces", user=user).out.strip() == "yes"
        assert kubectl("auth", "can-i", "get", "secrets", "-A", user=user).out.strip() == "no"
        sandboxes = kubectl("get", "namespaces", "-o", "name", "-l", "app.kubernetes.io/managed-by=zerotrust-operator")
        if sandboxes.out.split() == [f"namespace/{release.sandbox}"]:  # those of others are not ours to delete
            assert create(job, namespace=release.home).ok
            done = kubectl("-n", release.home, "wait", f"job/{name}", "--for=condition=Complete", "--timeout=90s")
            assert done.ok, done.err + kubectl("-n", release.home, "logs", f"job/{name}").out
            assert not kubectl("get", "namespace", release.sandbox).ok
            assert kubectl("get", "namespace", release.team).ok
    finally:
        kubectl("-n", release.home, "delete", "job", name, "--ignore-not-found")
        kubectl("-n", release.home, "delete", "--ignore-not-found", "-f", "-", document=rights)


def test_an_upgrade_reaches_the_deployment_and_the_custom_resource_definition(release: Release, tmp_path: Path) -> None:
    chart = shutil.copytree(CHART, tmp_path / "chart")
    file = chart / "files" / "zerotrust.dev_zerotrusttests.yaml"
    crd = yaml.safe_load(file.read_text())
    crd["spec"]["names"]["shortNames"].append("zttest")
    file.write_text(yaml.safe_dump(crd))
    helm("upgrade", release.name, str(chart), *release.options, "--set=maxRunning=3")
    deployment = kubectl("-n", release.home, "get", "deployment", release.name, "-o", "json").json()
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "ZT_MAX_RUNNING", "value": "3"} in environment
    short = kubectl("get", "crd", CRD, "-o", "json").json()["spec"]["names"]["shortNames"]
    assert ("zttest" in short) == release.owns_crd
    assert kubectl("-n", release.team, "get", f"{CRD}/shop").ok


def test_uninstalling_leaves_nothing_behind(release: Release) -> None:
    """Last of its file: it takes the release away."""
    helm("uninstall", release.name, "-n", release.home)
    kinds = kubectl("api-resources", "--verbs=list,delete", "-o", "name").out.split()
    label = f"app.kubernetes.io/instance={release.name}"
    left = ["get", ",".join(kinds), "-A", "-l", label, "-o", "name", "--ignore-not-found"]
    eventually(lambda: not kubectl(*left).out.strip(), "nothing with the release's label")
    assert kubectl("get", "crd", CRD).ok != release.owns_crd
    assert not kubectl("-n", release.home, "get", "secret", "-l", f"owner=helm,name={release.name}", "-o", "name").out
