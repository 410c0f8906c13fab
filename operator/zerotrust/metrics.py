"""Prometheus metrics. Per-test series are derived from live state at scrape: a deleted test leaves none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from zerotrust.api.status import Status, Verdict

TEST_VERDICTS = (Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE)
COUNTED = {"passed": "pass", "breaches": "breach", "lockouts": "lockout", "errors": "error"}
"""Verdicts by the summary's names for their counts, where they differ."""
_SECONDS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class Shown:
    """One test as the metrics see it."""

    namespace: str
    name: str
    status: Status


@dataclass(frozen=True)
class Sources:
    """Where live values are asked for at scrape."""

    tests: Callable[[], Iterable[Shown]]
    running: Callable[[], int]
    sandboxes: Callable[[], int]
    requests: Callable[[], Mapping[tuple[str, str], int]]


class _Live(Collector):
    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        tests = sorted(self.sources.tests(), key=lambda test: (test.namespace, test.name))
        yield from _tests(tests)
        yield GaugeMetricFamily("zerotrust_active_runs", "Runs under way.", value=self.sources.running())
        yield GaugeMetricFamily(
            "zerotrust_active_sandboxes",
            "Sandbox namespaces of runs under way.",
            value=self.sources.sandboxes(),
        )
        asked = CounterMetricFamily(
            "zerotrust_kubernetes_requests", "Requests to the API server.", labels=["verb", "code"]
        )
        for (verb, code), count in sorted(self.sources.requests().items()):
            asked.add_metric([verb, code], count)
        yield asked


def _tests(tests: Sequence[Shown]) -> Iterator[Metric]:
    own = ["namespace", "name"]
    verdict = GaugeMetricFamily(
        "zerotrust_test_verdict",
        "Verdict of the last run: 1 for the one that holds.",
        labels=[*own, "verdict"],
    )
    cases = GaugeMetricFamily("zerotrust_test_cases", "Cases of the last run.", labels=[*own, "verdict"])
    last = GaugeMetricFamily("zerotrust_test_last_run_timestamp_seconds", "End of the last run.", labels=own)
    passed = GaugeMetricFamily("zerotrust_test_last_pass_timestamp_seconds", "End of the last Pass.", labels=own)
    took = GaugeMetricFamily("zerotrust_test_last_run_duration_seconds", "How long the last run took.", labels=own)
    for test in tests:
        labels, status = [test.namespace, test.name], test.status
        for kind in TEST_VERDICTS if status.verdict else ():
            verdict.add_metric([*labels, kind.lower()], float(status.verdict is kind))
        if status.summary:
            for name, count in status.summary.model_dump(exclude={"total"}).items():
                cases.add_metric([*labels, COUNTED.get(name, name)], count)
        if status.run and status.run.completion_time:
            last.add_metric(labels, datetime.fromisoformat(status.run.completion_time).timestamp())
            took.add_metric(labels, status.run.duration_seconds or 0.0)
        if status.last_pass_time:
            passed.add_metric(labels, datetime.fromisoformat(status.last_pass_time).timestamp())
    yield from (verdict, cases, last, passed, took)


class Metrics:
    """The engine's observer, and what is shown at /metrics."""

    def __init__(self, sources: Sources) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Live(sources))
        ProcessCollector(registry=self.registry)
        own = self.registry
        self._runs = Counter("zerotrust_runs", "Finished runs.", ["verdict", "trigger"], registry=own)
        self._duration = Histogram(
            "zerotrust_run_duration_seconds", "Duration of runs.", buckets=_SECONDS, registry=own
        )
        self._stage = Histogram(
            "zerotrust_run_stage_seconds", "Duration of a run's stages.", ["stage"], buckets=_SECONDS, registry=own
        )
        self._cases = Counter("zerotrust_cases", "Judged cases.", ["layer", "verdict"], registry=own)
        self._errors = Counter("zerotrust_reconcile_errors", "Errors of the operator's own.", registry=own)

    def run_finished(self, verdict: str, trigger: str, seconds: float, stages: Mapping[str, float]) -> None:
        self._runs.labels(verdict.lower(), trigger.lower()).inc()
        self._duration.observe(seconds)
        for stage, took in stages.items():
            self._stage.labels(stage).observe(took)

    def cases_judged(self, cases: Sequence[tuple[str, str]]) -> None:
        for layer, verdict in cases:
            self._cases.labels(layer, verdict.lower()).inc()

    def error(self) -> None:
        self._errors.inc()

    def render(self) -> bytes:
        """The text format."""
        return generate_latest(self.registry)
