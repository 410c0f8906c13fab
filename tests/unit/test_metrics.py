"""Metrics: per-test series follow the live tests, and nothing is left of a test that is gone."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from zerotrust.api.status import Run, Status, Summary, Verdict
from zerotrust.metrics import Metrics, Shown, Sources

T = "2027-03-31T12:00:00Z"
SECONDS = 1806494400.0


def status(verdict: Verdict | None = Verdict.FAIL) -> Status:
    run = Run(id="r", start_time=T, completion_time=T if verdict else None, duration_seconds=7.5)
    summary = Summary(total=3, passed=1, breaches=2) if verdict else None
    return Status(verdict=verdict, run=run, summary=summary, last_pass_time=T)


class World:
    """What live sources say, to be changed between scrapes."""

    def __init__(self) -> None:
        self.tests = [Shown("team", "shop", status())]
        self.requests = {("GET", "200"): 3}
        self.metrics = Metrics(Sources(lambda: self.tests, lambda: 2, lambda: 4, lambda: self.requests))

    def scraped(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        families = text_string_to_metric_families(self.metrics.render().decode())
        return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}

    def value(self, metric: str, /, **labels: str) -> float:
        return self.scraped()[f"zerotrust_{metric}", frozenset(labels.items())]


OWN = {"namespace": "team", "name": "shop"}


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE])
def test_exactly_one_verdict_of_a_test_holds(verdict: Verdict) -> None:
    world = World()
    world.tests = [Shown("team", "shop", status(verdict))]
    held = {dict(key[1])["verdict"]: v for key, v in world.scraped().items() if key[0] == "zerotrust_test_verdict"}

    assert held == {kind: float(kind == verdict.lower()) for kind in ("pass", "fail", "error", "inconclusive")}


def test_a_tests_last_run_is_told() -> None:
    world = World()

    assert world.value("test_last_run_timestamp_seconds", **OWN) == SECONDS
    assert world.value("test_last_pass_timestamp_seconds", **OWN) == SECONDS
    assert world.value("test_last_run_duration_seconds", **OWN) == 7.5
    cases = {dict(key[1])["verdict"]: v for key, v in world.scraped().items() if key[0] == "zerotrust_test_cases"}
    assert sum(cases.values()) == 3


def test_cases_are_counted_by_the_names_of_their_verdicts() -> None:
    names = {dict(key[1])["verdict"] for key in World().scraped() if key[0] == "zerotrust_test_cases"}

    assert names == {v.lower() for v in Verdict if v is not Verdict.FAIL}


def test_a_test_that_is_gone_leaves_no_series() -> None:
    world = World()
    world.scraped()
    world.tests = []

    assert not [key for key in world.scraped() if key[0].startswith("zerotrust_test_")]


def test_a_test_without_a_verdict_has_none() -> None:
    world = World()
    world.tests = [Shown("team", "new", Status()), Shown("team", "first", status(None))]

    assert not [key for key in world.scraped() if key[0] in ("zerotrust_test_verdict", "zerotrust_test_cases")]


def test_tests_of_one_name_in_two_namespaces_are_two() -> None:
    world = World()
    world.tests += [Shown("other", "shop", status(Verdict.PASS))]

    assert world.value("test_verdict", namespace="other", name="shop", verdict="pass") == 1
    assert world.value("test_verdict", **OWN, verdict="pass") == 0


def test_runs_cases_stages_and_errors_are_counted() -> None:
    world = World()
    world.metrics.run_finished("Fail", "Schedule", 12.0, {"preparing": 3.0, "probing": 4.0})
    world.metrics.cases_judged([("mtls", "Breach"), ("mtls", "Breach"), ("http", "Pass")])
    world.metrics.error()

    assert world.value("runs_total", verdict="fail", trigger="schedule") == 1
    assert world.value("run_duration_seconds_count") == 1
    assert world.value("run_stage_seconds_sum", stage="probing") == 4
    assert world.value("cases_total", layer="mtls", verdict="breach") == 2
    assert world.value("reconcile_errors_total") == 1


def test_the_operator_tells_what_it_does_now() -> None:
    world = World()

    assert (world.value("active_runs"), world.value("active_sandboxes")) == (2, 4)
    assert world.value("kubernetes_requests_total", verb="GET", code="200") == 3


def test_a_name_cannot_break_the_format() -> None:
    world = World()
    world.tests = [Shown("team", 'a"}\n evil 1', status())]

    assert world.value("test_verdict", namespace="team", name='a"}\n evil 1', verdict="fail") == 1
