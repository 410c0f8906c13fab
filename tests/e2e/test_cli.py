"""The command line against the real thing: as a person at a terminal and as a pipeline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
import yaml

from tests.e2e.conftest import SystemFactory
from tests.harness import kubectl
from tests.harness.kubectl import Object
from tests.harness.system import System
from zerotrust.core import plan
from zerotrust.core.test import parse

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
READER = "cli-reader"


def cli(*arguments: str, kubeconfig: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """One command line, as a shell would run it, piped."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator"), "COLUMNS": "80"}
    if kubeconfig:
        environment["KUBECONFIG"] = str(kubeconfig)
    return subprocess.run(
        [sys.executable, "-m", "zerotrust.cli", *arguments],
        input=stdin, capture_output=True, text=True, timeout=300, env=environment, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def healthy(systems: SystemFactory) -> System:
    """The gateway, after the command line waited for its first verdict."""
    system = systems("gateway").apply()
    ended = cli("wait", system.test_name, "-n", system.namespace, "--timeout", "4m")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.startswith(f"Pass  {system.namespace}/{system.test_name}\n")
    assert "\x1b" not in ended.stdout + ended.stderr
    return system


def _ids(resource: Object) -> list[str]:
    return sorted(case.id for case in plan.cases(parse(resource)))


def test_report_shows_every_case_that_explain_foretold(healthy: System) -> None:
    foretold = cli("explain", "-", "-o", "json", stdin=yaml.safe_dump(healthy.test))
    assert foretold.returncode == 0, foretold.stderr
    (test,) = json.loads(foretold.stdout)["tests"]
    ended = cli("report", healthy.test_name, "-n", healthy.namespace, "-o", "json")
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["verdict"], document["resultsMissing"]) == (0, "Pass", "")
    assert sorted(result["id"] for result in document["results"]) == sorted(case["id"] for case in test["cases"])
    assert sorted(case["id"] for case in test["cases"]) == _ids(healthy.resource())


def test_run_brings_a_new_verdict_and_junit_lists_every_case(healthy: System) -> None:
    before = healthy.resource()["status"]["run"]["id"]
    ended = cli("run", healthy.test_name, "-n", healthy.namespace, "-o", "junit", "--timeout", "4m")
    assert ended.returncode == 0, ended.stderr
    assert Xml.fromstring(ended.stdout).get("tests") == str(len(_ids(healthy.resource())))
    run = healthy.resource()["status"]["run"]
    assert run["id"] != before
    assert run["trigger"] == "Rerun"


def test_a_breach_is_exit_code_1_and_is_explained(system: SystemFactory) -> None:
    def trust_fewer_than_the_gateway_does(test: Object) -> None:
        route = next(r for r in test["spec"]["boundaries"][0]["http"]["routes"] if r["methods"] == ["GET"])
        route["allow"].remove("reporting")

    made = system("gateway").change(trust_fewer_than_the_gateway_does).apply()
    ended = cli("wait", made.test_name, "-n", made.namespace, "--timeout", "4m")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stdout.startswith("Fail  ")
    assert "\nBreach  http/route" in ended.stdout
    assert "  orders/http/route-get-orders/reporting\n" in ended.stdout
    assert "remedy" in ended.stdout


def test_what_cannot_run_is_exit_code_4_and_says_why(system: SystemFactory) -> None:
    made = system("gateway").change(lambda test: test["spec"]["run"].update(schedule="now and then")).apply()
    ended = cli("wait", made.test_name, "-n", made.namespace, "--timeout", "1m")
    assert (ended.returncode, "is not five-field cron" in ended.stderr) == (4, True), ended.stderr


def test_a_suspended_test_is_not_waited_for(system: SystemFactory) -> None:
    made = system("gateway").change(lambda test: test["spec"]["run"].update(suspend=True)).apply()
    for command in ("wait", "run"):
        ended = cli(command, made.test_name, "-n", made.namespace)
        assert (ended.returncode, "is suspended" in ended.stderr) == (4, True), ended.stderr


def test_a_name_that_is_not_there_says_which_are(healthy: System) -> None:
    ended = cli("report", "shopp", "-n", healthy.namespace)
    assert ended.returncode == 4
    assert f"there is {healthy.test_name}" in ended.stderr


def _account(healthy: System, folder: Path) -> Path:
    """A kubeconfig for a ServiceAccount of the system's namespace."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": READER, "namespace": healthy.namespace},
    }
    kubectl.apply([account])
    token = kubectl.kubectl("-n", healthy.namespace, "create", "token", READER).strip()
    config = yaml.safe_load(kubectl.kubectl("config", "view", "--raw", "--minify", "--flatten"))
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": {"token": token}}]
    config["contexts"][0]["context"]["namespace"] = healthy.namespace
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path


def test_who_may_not_read_is_told_so_and_who_may_only_get_can_wait(healthy: System, tmp_path: Path) -> None:
    config = _account(healthy, tmp_path)
    ended = cli("wait", healthy.test_name, kubeconfig=config)
    assert (ended.returncode, "not allowed: " in ended.stderr) == (4, True), ended.stderr
    meta = {"name": READER, "namespace": healthy.namespace}
    rule = {"apiGroups": ["zerotrust.dev"], "resources": ["zerotrusttests"], "verbs": ["get"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": [rule]}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": READER},
        "subjects": [{"kind": "ServiceAccount", **meta}],
    }
    kubectl.apply([role, binding])
    ended = cli("wait", healthy.test_name, kubeconfig=config)
    assert ended.stdout.startswith(f"{healthy.resource()['status']['verdict']}  "), ended.stderr
    assert "cannot be read (Forbidden)" in " ".join(ended.stdout.split())
