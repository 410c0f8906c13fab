"""A healthy system, from `kubectl apply` to everything a person, a pipeline and a dashboard can read."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from tests.e2e.conftest import SystemFactory
from tests.harness import api, installation, kubectl
from tests.harness.kubectl import Object
from tests.harness.system import KIND, System, condition, sandboxes
from tests.harness.waiting import eventually
from zerotrust.core import plan
from zerotrust.core.test import parse


@pytest.fixture(scope="module")
def healthy(systems: SystemFactory) -> System:
    """The gateway after one run."""
    system = systems("gateway").apply()
    system.verdict()
    return system


@pytest.fixture
def status(healthy: System) -> Object:
    """Its status."""
    found: Object = healthy.resource()["status"]
    return found


def test_a_healthy_gateway_passes_with_nothing_inconclusive(healthy: System, status: Object) -> None:
    expected = len(plan.cases(parse(healthy.resource())))
    summary = status["summary"]
    assert status["verdict"] == "Pass", condition(status, "Ready")
    assert summary == {
        **dict.fromkeys(("breaches", "lockouts", "inconclusive", "errors", "waived", "skipped"), 0),
        "passed": expected,
        "total": expected,
    }


def test_its_conditions_are_those_of_a_pass(healthy: System, status: Object) -> None:
    found = {c["type"]: c["status"] for c in status["conditions"]}
    assert found == {"Ready": "True", "Passed": "True", "Complete": "True", "Running": "False"}
    generation = healthy.resource()["metadata"]["generation"]
    assert {c["observedGeneration"] for c in status["conditions"]} == {generation}
    assert condition(status, "Ready")["reason"] == "AllCasesPassed"


def test_kubectl_wait_and_the_columns_show_it(healthy: System) -> None:
    where = ("-n", healthy.namespace, KIND, healthy.test_name)
    kubectl.kubectl("wait", "-n", healthy.namespace, "--for=condition=Passed", f"{KIND}/{healthy.test_name}")
    head, row = kubectl.kubectl("get", *where).splitlines()
    assert head.split() == ["NAME", "READY", "VERDICT", "PASS", "BREACH", "LOCKOUT", "LAST-RUN", "AGE"]
    assert row.split()[:6] == ["shop", "True", "Pass", str(healthy.resource()["status"]["summary"]["total"]), "0", "0"]
    selected = kubectl.items(KIND, "-A", "--field-selector", "status.verdict=Pass")
    assert healthy.namespace in {item["metadata"]["namespace"] for item in selected}


def test_every_case_is_in_the_results_map_which_the_test_owns(healthy: System, status: Object) -> None:
    stored = kubectl.get("configmap", f"{healthy.test_name}-results", healthy.namespace)
    assert stored
    document = json.loads(gzip.decompress(base64.b64decode(stored["binaryData"]["results.json.gz"])))
    ids = {case.id for case in plan.cases(parse(healthy.resource()))}
    assert {result["id"] for result in document["results"]} == ids
    assert document["run"] == status["run"]["id"]
    assert stored["metadata"]["ownerReferences"][0]["uid"] == healthy.resource()["metadata"]["uid"]


def test_the_status_stays_small_and_keeps_no_secret(healthy: System) -> None:
    text = json.dumps(healthy.resource())
    assert len(text) < 64 * 1024
    assert "PRIVATE KEY" not in text
    assert "eyJ" not in text, "a token is in the object"


def test_an_event_tells_of_the_verdict(healthy: System) -> None:
    events = kubectl.items("events", "-n", healthy.namespace)
    told = [(e["type"], e["reason"]) for e in events if e["involvedObject"]["kind"] == "ZeroTrustTest"]
    assert told == [("Normal", "RunPassed")]


def test_metrics_show_the_test_while_it_exists(healthy: System) -> None:
    own = f'name="{healthy.test_name}",namespace="{healthy.namespace}"'
    lines = installation.metrics().splitlines()
    assert f'zerotrust_test_verdict{{{own},verdict="pass"}} 1.0' in lines
    assert f'zerotrust_test_verdict{{{own},verdict="fail"}} 0.0' in lines
    assert any(line.startswith('zerotrust_runs_total{trigger="created",verdict="pass"}') for line in lines)


def test_nothing_of_the_run_is_left(healthy: System) -> None:
    def gone() -> bool | None:
        left = sandboxes(healthy.resource()["metadata"]["uid"])
        assert not left, f"sandboxes left: {left}"
        return True

    eventually("the sandbox to be gone", gone)


def test_a_deleted_test_leaves_no_series_and_no_results(system: SystemFactory) -> None:
    short = system("gateway").apply()
    short.verdict()
    kubectl.delete(KIND, short.test_name, short.namespace)

    def gone() -> bool | None:
        assert short.namespace not in installation.metrics(), "series left"
        assert api.get("configmap", f"{short.test_name}-results", short.namespace) is None, "results left"
        return True

    eventually("everything of the test to be gone", gone)


def test_the_quickstart_passes_as_it_is_shipped(system: SystemFactory) -> None:
    shop = system("gateway")
    text = (installation.ROOT / "samples" / "quickstart.yaml").read_text()
    assert text.count("team-shop") == 3, "namespace, ConfigMap, test"
    kubectl.kubectl("apply", "-f", "-", stdin=text.replace("team-shop", shop.namespace))
    assert shop.verdict()["verdict"] == "Pass"
