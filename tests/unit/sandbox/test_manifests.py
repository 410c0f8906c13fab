"""Manifests are untrusted text: they become checked objects, or one Reject that can be acted on, and nothing else."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.support import parsed, quick
from zerotrust.api import reasons
from zerotrust.api.errors import Reject
from zerotrust.sandbox import policies
from zerotrust.sandbox.manifests import KINDS, MAX_OBJECTS, MAX_TEXT, WORKLOADS, in_order, load, prepare
from zerotrust.sandbox.names import MANAGED_BY, RUN, TEST_UID, Object, Owner

OWNER = Owner("r1", "uid", "team/shop")
NAMESPACE = "zt-r1-shop"
VALUES = {"zones.shop": NAMESPACE, "trustDomain": "shop.test", "issuer": "https://issuer.shop.test", "run": "r1"}
SOURCE = str(Path(__file__).parents[3] / "operator")


def made(*objects: Any, values: dict[str, str] | None = None) -> list[Object]:
    return prepare(list(objects), OWNER, "shop", values or VALUES, "shop.yaml")


def refusal(*objects: Any) -> str:
    with pytest.raises(Reject) as told:
        made(*objects)
    assert told.value.reason == reasons.MANIFEST_INVALID
    assert len(told.value.message) < 2000
    return told.value.message


def config(**parts: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, **parts}


def service(**spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 8443}], "selector": {"app": "web"}, **spec},
    }


def workload(kind: str = "Deployment", **pod: Any) -> Object:
    group = "batch/v1" if kind == "Job" else "apps/v1"
    spec = {"containers": [{"name": "web", "image": "web"}], **pod}
    return {"apiVersion": group, "kind": kind, "metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}}


# text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("---\n---\n", 0),
        ("# only a remark", 0),
        ("a: 1", 1),
        ("a: 1\n---\nb: 2\n---\n", 2),
        ("kind: List\nitems: [{a: 1}, {b: 2}]", 2),
        ("kind: List\nitems:", 0),
        ("kind: List", 0),
        ("a: &x {b: 1}\nc: *x", 1),
    ],
)
def test_every_object_of_a_text_is_found(text: str, count: int) -> None:
    assert len(load(text, "shop.yaml")) == count


NOT_YAML = {
    "an open bracket": "{",
    "a tab": "a:\n\t- b",
    "an unknown alias": "*a",
    "an unknown tag": "!!python/object/apply:os.system [id]",
    "a local tag": "!vault x",
    "a NUL": "\x00",
    "a surrogate": "\ud800",
    "a list for a key": "{[a]: b}",
    "no boolean": "!!bool x",
    "no timestamp": "!!timestamp x",
    "an empty integer": "!!int ''",
    "an empty float": "!!float ''",
    "no integer": "!!int x",
    "a month too many": "a: 2024-13-01",
    "a list that is no list": "kind: List\nitems: 5",
    "a list that is a text": "kind: List\nitems: abc",
    "an integer too long": "a: " + "9" * 5000,
    "a text too long": "a" * (MAX_TEXT + 1),
}


@pytest.mark.parametrize("text", NOT_YAML.values(), ids=NOT_YAML)
def test_a_text_that_cannot_be_read_is_rejected_in_one_line(text: str) -> None:
    with pytest.raises(Reject, match=r"^shop\.yaml") as told:
        made(*load(text, "shop.yaml"))
    assert len(told.value.message) < 500
    assert "\n" not in told.value.message


def test_an_alias_that_contains_itself_is_rejected() -> None:
    for text in ("&a [*a]", "&a {b: *a}", "a: &a [{b: [*a]}]"):
        with pytest.raises(Reject, match="levels"):
            load(text, "shop.yaml")


def test_an_alias_that_grows_without_end_is_rejected() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]

    with pytest.raises(Reject, match="50000"):
        load("\n".join(lines), "shop.yaml")


HOSTILE = {
    "merge keys that grow": "a0: &a0 {x: 1, y: 2}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9)),
    "deep lists": "[" * 200_000,
    "deep maps": "{a: " * 100_000,
    "deep blocks": "- " * 200_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_made_to_bring_the_operator_down_is_rejected(text: str) -> None:
    """In a process of its own: a stack that overflows in C takes its process with it."""
    program = (
        "import sys, resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (10, 10))\n"
        "from zerotrust.sandbox.manifests import load\n"
        "from zerotrust.api.errors import Reject\n"
        "try: load(sys.stdin.read(), 'x')\n"
        "except Reject: sys.exit(7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=text, text=True, capture_output=True, timeout=60, check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip

    assert done.returncode == 7, done.stderr[-500:]


def test_200_objects_are_allowed_and_201_are_not() -> None:
    assert len(load("a: 1\n---\n" * MAX_OBJECTS, "shop.yaml")) == MAX_OBJECTS
    with pytest.raises(Reject, match="201 objects, at most 200"):
        load("a: 1\n---\n" * (MAX_OBJECTS + 1), "shop.yaml")
    with pytest.raises(Reject, match="201 objects"):
        load(f"kind: List\nitems: [{', '.join(['{}'] * 201)}]", "shop.yaml")


def test_dates_are_texts_as_they_are_to_kubernetes() -> None:
    (item,) = made(*load("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {when: 2027-01-02}", "x"))

    assert item["data"] == {"when": "2027-01-02"}


# objects


def test_an_object_is_placed_labelled_and_otherwise_left_as_it_is() -> None:
    raw = config(
        metadata={"name": "c", "labels": {"app": "x", MANAGED_BY: "forged"}, "annotations": {"a": "b"}}, data={"k": "v"}
    )
    before = copy.deepcopy(raw)

    (item,) = made(raw)

    assert raw == before
    assert item["metadata"] == {
        "name": "c",
        "namespace": NAMESPACE,
        "labels": {"app": "x", **OWNER.labels},
        "annotations": {"a": "b"},
    }
    assert item["data"] == {"k": "v"}
    assert set(OWNER.labels) == {MANAGED_BY, RUN, TEST_UID}


NOT_OBJECTS: dict[str, tuple[Any, str]] = {
    "a text": ("x", "not a Kubernetes object"),
    "a number": (5, "not a Kubernetes object"),
    "a list": ([], "not a Kubernetes object"),
    "nothing in it": ({}, "not a Kubernetes object"),
    "no metadata": ({"apiVersion": "v1", "kind": "ConfigMap"}, "not a Kubernetes object"),
    "metadata of text": (config(metadata="x"), "not a Kubernetes object"),
    "no name": (config(metadata={}), "metadata.name is missing"),
    "a name of a number": (config(metadata={"name": 5}), "metadata.name is missing"),
    "no kind": ({"apiVersion": "v1", "metadata": {"name": "x"}}, "is not allowed"),
    "labels of text": (config(metadata={"name": "c", "labels": "x"}), "labels"),
    "labels in a list": (config(metadata={"name": "c", "labels": ["x"]}), "labels"),
    "a finalizer": (config(metadata={"name": "c", "finalizers": ["x"]}), "metadata.finalizers is not allowed"),
    "an owner": (config(metadata={"name": "c", "ownerReferences": [{}]}), "metadata.ownerReferences is not allowed"),
    "a generated name": (config(metadata={"name": "c", "generateName": "x"}), "metadata.generateName is not allowed"),
    "another namespace": (config(metadata={"name": "c", "namespace": "kube-system"}), "kube-system is not the zone's"),
    "no namespace at all": (config(metadata={"name": "c", "namespace": None}), "namespace"),
    "a node port": (service(type="NodePort"), "NodePort reaches out"),
    "a load balancer": (service(type="LoadBalancer"), "LoadBalancer reaches out"),
    "an outside name": (service(type="ExternalName"), "ExternalName reaches out"),
    "a substituted type": (service(type="$(run)"), "reaches out"),
    "outside addresses": (service(externalIPs=["1.2.3.4"]), "externalIPs reach out"),
    "a service for pods that are not ready": (service(publishNotReadyAddresses=True), "publishNotReadyAddresses"),
    "a credential that does not expire": (
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "type": "kubernetes.io/service-account-token",
        },
        "does not expire",
    ),
    **{
        f"{field} in a {kind}": (workload(kind, **{field: True}), f"{field} is not allowed")
        for field in ("hostNetwork", "hostPID", "hostIPC")
        for kind in WORKLOADS
    },
    "a host path": (workload(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "hostPath is not allowed"),
    "a privileged container": (
        workload(containers=[{"name": "c", "securityContext": {"privileged": True}}]),
        "privileged is not allowed",
    ),
    "a privileged first container": (
        workload(initContainers=[{"name": "c", "securityContext": {"privileged": True}}]),
        "privileged is not allowed",
    ),
}


@pytest.mark.parametrize(("raw", "words"), NOT_OBJECTS.values(), ids=NOT_OBJECTS)
def test_what_a_sandbox_may_not_hold_is_rejected_with_its_place(raw: Any, words: str) -> None:
    message = refusal(config(), raw)

    assert message.startswith("shop.yaml, object 2")
    assert words in message


FORBIDDEN = [
    ("v1", "Namespace"),
    ("v1", "Pod"),
    ("v1", "PersistentVolume"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "CronJob"),
    ("extensions/v1beta1", "Deployment"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("networking.k8s.io/v1", "Ingress"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("zerotrust.dev/v1alpha1", "ZeroTrustTest"),
    ("v1", "configmap"),
    ("v1", ["ConfigMap"]),
    (1, "ConfigMap"),
    (None, None),
]


@pytest.mark.parametrize(("version", "kind"), FORBIDDEN)
def test_kinds_that_are_not_listed_are_rejected(version: Any, kind: Any) -> None:
    message = refusal({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}})

    assert "is not allowed in a sandbox; allowed are ConfigMap, Deployment" in message


@pytest.mark.parametrize(("version", "kind"), KINDS)
def test_kinds_that_are_listed_are_taken(version: str, kind: str) -> None:
    raw = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": {}}

    assert [item["kind"] for item in made(raw)] == [kind]


# what the run decides


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$(zones.shop)", NAMESPACE),
        ("https://web.$(zones.shop).svc/$(run)", f"https://web.{NAMESPACE}.svc/r1"),
        ("$(trustDomain)$(trustDomain)", "shop.testshop.test"),
        ("$(issuer)", "https://issuer.shop.test"),
        ("$$(POD_IP)", "$(POD_IP)"),
        ("$$(run)", "$(run)"),
        ("$(cat file)", "$(cat file)"),
        ("$run ${run} $ ( run )", "$run ${run} $ ( run )"),
        ("", ""),
    ],
)
def test_names_of_the_run_are_filled_in_wherever_they_stand(text: str, filled: str) -> None:
    (item,) = made(config(data={"k": text, "l": [{"m": text}], text or "e": "v"}))

    assert item["data"] == {"k": filled, "l": [{"m": filled}], filled or "e": "v"}


def test_what_was_filled_in_is_not_filled_in_again() -> None:
    (item,) = made(config(data={"k": "$(run)"}), values={**VALUES, "run": "$(issuer)"})

    assert item["data"] == {"k": "$(issuer)"}


def test_an_unknown_name_is_rejected_with_those_that_are_known() -> None:
    message = refusal(config(data={"k": "$(zones.moon)"}))

    assert "$(zones.moon) is unknown" in message
    assert "known are $(issuer), $(run), $(trustDomain), $(zones.shop)" in message
    assert "write $$(zones.moon) to keep it" in message
    assert "is unknown" in refusal(config(data={"$(x)": "v"}))


@pytest.mark.parametrize("field", ["kind", "apiVersion", "metadata", "spec"])
def test_no_name_that_is_filled_in_changes_what_was_checked(field: str) -> None:
    """A trust domain may be called ``kind``; a key that becomes it must not become the object's kind."""
    values = {**VALUES, "trustDomain": field}
    other: Any = {"kind": "ClusterRole", "apiVersion": "v9", "metadata": "x", "spec": {"type": "NodePort"}}[field]
    raw = {**service(), "$(trustDomain)": other}

    try:
        (item,) = made(raw, values=values)
    except Reject:
        return
    assert (item["apiVersion"], item["kind"], item["metadata"]["name"]) == ("v1", "Service", "web")
    assert item["spec"].get("type", "ClusterIP") == "ClusterIP"


def test_a_run_refers_to_its_own_zone_by_name() -> None:
    (item,) = made(config(metadata={"name": "c", "namespace": "$(zones.shop)"}))

    assert item["metadata"]["namespace"] == NAMESPACE


def test_what_others_refer_to_comes_first_and_workloads_last() -> None:
    kinds = [(v, k) for v, k in KINDS]
    objects = made(*({"apiVersion": v, "kind": k, "metadata": {"name": "x"}, "spec": {}} for v, k in reversed(kinds)))

    ordered = [item["kind"] for item in in_order(objects)]

    assert set(ordered[-len(WORKLOADS) :]) == WORKLOADS
    assert ordered.index("ServiceAccount") < ordered.index("RoleBinding")
    assert ordered.index("Role") < ordered.index("RoleBinding")
    assert len(ordered) == len(KINDS)


# whatever an author may write

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
keys = st.text(max_size=8) | st.integers() | st.booleans() | st.none() | st.dates()
junk = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=5
)
wrong: st.SearchStrategy[Any] = (
    st.sampled_from([5, "x", [], {}, None, [None], ["x"], [5], [[]], {"a": "b"}, {"a": None}, True, {1: 2}]) | junk
)
WHOLE: list[Object] = [
    config(data={"a": "b"}),
    service(ports=[{"port": 8443, "targetPort": "https"}]),
    workload(
        volumes=[{"name": "v", "configMap": {"name": "c"}}],
        initContainers=[{"name": "i", "securityContext": {"privileged": False}}],
    ),
    workload("StatefulSet"),
    workload("Job"),
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": {"a": "b"}}, "stringData": {"a": "b"}},
    {"apiVersion": "v1", "kind": "List", "items": [config()]},
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in _places(item, (*path, key)))]


@st.composite
def mutilated(draw: st.DrawFn) -> Any:
    """A usable object in which one value, anywhere, is something else."""
    item = copy.deepcopy(draw(st.sampled_from(WHOLE)))
    path = draw(st.sampled_from(_places(item)))
    if not path:
        return draw(wrong)
    inner = item
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = draw(wrong)
    return item


def _used(objects: list[Any]) -> list[Object]:
    """Objects prepared and used as a run uses them, or none where they were rejected."""
    try:
        found = in_order(prepare(objects, OWNER, "shop", VALUES, "x"))
    except Reject:
        return []
    services = {item["metadata"]["name"]: item for item in found if item["kind"] == "Service"}
    test = parsed()
    list(policies.zone_policies(OWNER, test, "shop", services, ()))
    list(policies.grants_out(OWNER, test, "shop", {("shop", name): item for name, item in services.items()}))
    return found


@quick
@given(mutilated())
def test_an_object_with_anything_at_all_in_it_is_used_or_rejected(raw: Any) -> None:
    for item in _used([raw]):
        assert (item["apiVersion"], item["kind"]) in KINDS
        assert item["metadata"]["namespace"] == NAMESPACE
        assert OWNER.labels.items() <= item["metadata"]["labels"].items()
        assert json.dumps(item)


@quick
@given(junk)
def test_anything_at_all_is_used_or_rejected(raw: Any) -> None:
    assert _used([raw]) == []


@quick
@given(st.lists(mutilated(), max_size=3))
def test_anything_at_all_written_as_yaml_is_used_or_rejected(objects: list[Any]) -> None:
    try:
        found = load(yaml.safe_dump_all(objects), "x")
    except Reject:
        return
    _used(found)


@quick
@given(st.text(st.sampled_from("{}[]:,-&*!|>'\"%@#\n ab1.~<=?")) | st.text())
def test_any_text_at_all_is_objects_or_rejected(text: str) -> None:
    try:
        found = load(text, "x")
    except Reject:
        return
    _used(found)


def test_nobody_but_the_operator_labels_a_pod_as_a_probe() -> None:
    labelled = {"metadata": {"labels": {"zerotrust.dev/probe": "checkout"}}, "spec": {"containers": []}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"template": labelled},
    }
    owner = Owner("run", "uid", "team/shop")
    with pytest.raises(Reject, match=r"spec\.template\.metadata\.labels"):
        prepare([deployment], owner, "shop", {}, "here")
