"""What happens to a test in its life: run again, changed, suspended, scheduled, waived, kept, deleted, abandoned."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.e2e.conftest import SystemFactory
from tests.harness import installation, kubectl
from tests.harness.kubectl import Object
from tests.harness.system import KIND, System, condition, sandboxes, summary
from tests.harness.waiting import eventually

RERUN = "zerotrust.dev/rerun-requested-at"


def reach(system: System, phase: str) -> None:
    """Wait until a run is in a phase."""

    def look() -> bool | None:
        status = system.resource().get("status", {})
        assert status.get("phase") == phase, summary(status)
        return True

    eventually(f"phase {phase}", look, every=0.05)


def no_sandboxes(uid: str, within: float = 90.0) -> None:
    """Wait until a test has no namespace left."""

    def look() -> bool | None:
        left = sandboxes(uid)
        assert not left, f"left: {left}"
        return True

    eventually("the sandboxes to be gone", look, within=within)


def edit(system: System, **run: object) -> None:
    """Change spec.run of a test that exists."""
    kubectl.kubectl(
        "patch",
        KIND,
        system.test_name,
        "-n",
        system.namespace,
        "--type=merge",
        "-p",
        json.dumps({"spec": {"run": run}}),
    )


def uid(system: System) -> str:
    return str(system.resource()["metadata"]["uid"])


@pytest.fixture(scope="module", autouse=True)
def scheduled(systems: SystemFactory) -> System:
    """A test that runs every minute: started first, looked at last, so that nobody waits for the clock."""
    shop = systems("gateway")
    shop.test["spec"]["run"] |= {"schedule": "* * * * *", "timeZone": "Europe/Vienna"}
    return shop.apply()


@pytest.fixture(scope="module", autouse=True)
def orphan(operator: None) -> str:
    """A sandbox whose test is not there: its uid. The sweep comes once a minute."""
    labels = {
        "app.kubernetes.io/managed-by": "zerotrust-operator",
        "zerotrust.dev/test-uid": "nobody",
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "zt-orphan-shop", "labels": labels}}])
    return "nobody"


def test_a_rerun_is_asked_for_by_annotation_and_keeps_ready_meanwhile(system: SystemFactory) -> None:
    shop = system("gateway").apply()
    first = shop.verdict()
    token = datetime.now(UTC).isoformat()
    kubectl.kubectl("annotate", KIND, shop.test_name, "-n", shop.namespace, f"{RERUN}={token}")

    def running() -> Object | None:
        status = shop.resource()["status"]
        assert condition(status, "Running").get("status") == "True", summary(status)
        found: Object = status
        return found

    during = eventually("the second run", running, every=0.05)
    assert condition(during, "Ready") == condition(first, "Ready"), "a re-run must not disturb Ready"
    assert during["verdict"] == "Pass"
    second = shop.verdict()
    assert second["lastHandledRerunAt"] == token
    assert second["run"]["trigger"] == "Rerun"
    assert second["run"]["id"] != first["run"]["id"]
    assert [line["verdict"] for line in second["history"]] == ["Pass", "Pass"]


def test_a_spec_changed_while_running_replaces_the_run(system: SystemFactory) -> None:
    shop = system("gateway").apply()
    reach(shop, "Preparing")
    old = shop.resource()["status"]["run"]["id"]
    edit(shop, historyLimit=5)
    status = shop.verdict(generation=2)
    assert status["verdict"] == "Pass"
    assert status["run"]["id"] != old
    assert status["run"]["generation"] == 2
    no_sandboxes(uid(shop))


def test_a_suspended_test_stops_and_goes_on_when_it_is_resumed(system: SystemFactory) -> None:
    shop = system("gateway").apply()
    reach(shop, "Preparing")
    edit(shop, suspend=True)

    def suspended() -> Object | None:
        status = shop.resource()["status"]
        ready = condition(status, "Ready")
        assert ready.get("reason") == "Suspended", summary(status)
        found: Object = status
        return found

    status = eventually("Suspended", suspended)
    found = {c["type"]: c["status"] for c in status["conditions"]}
    assert found == {"Ready": "Unknown", "Passed": "Unknown", "Complete": "False", "Running": "False"}
    assert "verdict" not in status
    no_sandboxes(uid(shop))
    edit(shop, suspend=False)
    assert shop.verdict(generation=3)["verdict"] == "Pass"


@pytest.mark.parametrize("phase", ["Preparing", "Probing"])
def test_a_test_deleted_at_work_leaves_nothing(system: SystemFactory, phase: str) -> None:
    shop = system("gateway").apply()
    reach(shop, phase)
    owner = uid(shop)
    kubectl.delete(KIND, shop.test_name, shop.namespace)
    no_sandboxes(owner)


def test_an_operator_killed_at_work_still_gives_a_verdict(system: SystemFactory) -> None:
    shop = system("gateway").apply()
    reach(shop, "Probing")
    pod = installation.pod()["metadata"]["name"]
    kubectl.kubectl("-n", installation.NAMESPACE, "delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")
    status = shop.verdict(within=180)
    assert status["verdict"] == "Pass", summary(status)
    no_sandboxes(uid(shop))


def test_a_failed_run_keeps_its_sandbox_where_asked_and_a_waiver_covers_what_is_known(system: SystemFactory) -> None:
    shop = system("gateway")
    zone = shop.test["spec"]["sandbox"]["zones"][0]
    zone["networkPolicies"] = "Provided"
    shop.test["spec"]["run"] |= {"keepSandbox": "OnFailure", "keepSandboxFor": "1m"}
    shop.apply()
    status = shop.verdict()
    assert status["verdict"] == "Fail", summary(status)
    failed = {r["id"] for r in status["results"] if r["verdict"] == "Breach"}
    assert failed >= {"orders/network/outsider/outsider", "orders/network/other-identity/orders"}
    assert all(case.split("/")[1] == "network" for case in failed)
    assert len(sandboxes(uid(shop))) == 2, "kept for whoever wants to look"
    found = {c["type"]: c["status"] for c in status["conditions"]}
    assert found == {"Ready": "False", "Passed": "False", "Complete": "True", "Stalled": "True", "Running": "False"}

    waiver = {"case": "orders/network/*", "until": "2999-01-01", "reason": "policies come next quarter"}
    past = {**waiver, "until": "2020-01-01"}
    shop.change(lambda test: test["spec"].update(waivers=[past])).apply()
    assert shop.verdict(generation=2)["verdict"] == "Fail", "an expired waiver counts for nothing"
    shop.change(lambda test: test["spec"].update(waivers=[waiver])).apply()
    status = shop.verdict(generation=3)
    assert status["verdict"] == "Pass", summary(status)
    assert status["summary"]["waived"] == len(failed)
    no_sandboxes(uid(shop), within=100)


def test_a_schedule_runs_the_test_again(scheduled: System) -> None:
    def again() -> Object | None:
        status = scheduled.resource()["status"]
        assert len(status.get("history", ())) > 1, summary(status)
        assert status["phase"] == "Complete", summary(status)
        found: Object = status
        return found

    status = eventually("a scheduled run", again, within=100)
    assert status["run"]["trigger"] == "Schedule"
    assert {line["verdict"] for line in status["history"]} == {"Pass"}, status["history"]
    assert status["nextScheduleTime"] > status["run"]["completionTime"]


def test_a_sandbox_without_a_test_is_swept(orphan: str) -> None:
    no_sandboxes(orphan, within=100)
