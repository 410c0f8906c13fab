"""Mutants on a real cluster: a namespace for each, several at once, everything bounded, nothing left behind."""

from __future__ import annotations

import base64
import gzip
import json
import re
import secrets
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.harness import kubectl
from tests.harness.kubectl import Object
from tests.harness.system import KIND, System, condition, summary
from tests.mutants.attribution import QUIET, Finding, Score, Seen, attribute
from tests.mutants.change import Texts, mutate, read
from tests.mutants.model import Mutant, MutantInvalid

AT_ONCE = 4
WITHIN = 330.0
"""Seconds that one mutant may take: a little more than a run may take where its author says nothing."""
HEALTHY = "healthy"
"""Prefix of the id under which a system without a change is run: mutants of a sick system prove nothing."""
_SLICE = 5
"""Seconds for which kubectl waits at a stretch, so that a stop is seen soon."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing to run: a system's texts, a mutant of it or, with None, the healthy system itself."""

    id: str
    system: str
    texts: Texts
    mutant: Mutant | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How a trial came out. ``seconds``: from apply to verdict. ``verdict``: of the test."""

    id: str
    title: str
    finding: Finding
    seconds: float
    verdict: str = ""
    problem: str = ""

    @property
    def good(self) -> bool:
        return self.finding.score is Score.KILLED


class Stopped(Exception):
    """The runner was told to stop."""


def trials(mutants: Sequence[Mutant], systems: Path, *, healthy: bool = True) -> list[Trial]:
    """Every mutant with its changes made, after each of their systems as it is. Errors: MutantInvalid."""
    originals = {name: read(systems / name) for name in dict.fromkeys(mutant.system for mutant in mutants)}
    controls = [Trial(f"{HEALTHY}-{name}", name, texts) for name, texts in originals.items()] if healthy else []
    changed = []
    for mutant in mutants:
        try:
            changed.append(Trial(mutant.id, mutant.system, mutate(originals[mutant.system], mutant.change), mutant))
        except MutantInvalid as error:
            raise MutantInvalid(f"{mutant.id}: {error}") from None
    return controls + changed


@dataclass
class Runner:
    """Runs trials. ``told`` hears of each report as it comes."""

    at_once: int = AT_ONCE
    within: float = WITHIN
    told: Callable[[Report], None] = lambda _report: None
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _mine: set[str] = field(default_factory=set, repr=False)

    def run(self, wanted: Sequence[Trial]) -> list[Report]:
        """Run all, in the order given as far as there is room. An interrupt stops it and cleans up first."""
        reports: dict[str, Report] = {}
        pool = ThreadPoolExecutor(max_workers=self.at_once, thread_name_prefix="mutant")
        try:
            futures: list[Future[Report]] = [pool.submit(self._trial, trial) for trial in wanted]
            for future in as_completed(futures):
                report = future.result()
                reports[report.id] = report
                self.told(report)
        finally:
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            self._sweep()
        return [reports[trial.id] for trial in wanted]

    def _trial(self, trial: Trial) -> Report:
        namespace = f"mutant-{_slug(trial.id)}-{secrets.token_hex(3)}"
        title = trial.mutant.title if trial.mutant else "the system as it is"
        started = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="mutant-") as place:
                system = _system(Path(place) / trial.system, trial.texts, namespace)
            self._mine.add(namespace)
            status = self._status(system)
            seconds = time.monotonic() - started
            verdict = str(status.get("verdict"))
            return Report(trial.id, title, _finding(trial, verdict, results(system)), seconds, verdict)
        except (AssertionError, Stopped, MutantInvalid, subprocess.SubprocessError, yaml.YAMLError) as error:
            problem = f"{type(error).__name__}: {error}"
            return Report(trial.id, title, Finding(Score.ERROR), time.monotonic() - started, problem=problem)
        finally:
            self._remove(namespace)

    def _status(self, system: System) -> Object:
        """Apply and wait. kubectl watches instead of asking again and again: asking costs more than the run."""
        self._check()
        system.apply()
        deadline = time.monotonic() + self.within
        while time.monotonic() < deadline:
            self._check()
            wait = ("wait", "--for=condition=Complete", f"--timeout={_SLICE}s", "-n", system.namespace)
            if "condition met" in kubectl.kubectl(*wait, KIND, system.test_name, check=False):
                return system.verdict(within=10.0)
            status: Object = system.resource().get("status", {})
            if condition(status, "Stalled").get("status") == "True":
                raise AssertionError(summary(status))
        raise AssertionError(f"no verdict within {self.within:g} s: {summary(system.resource().get('status', {}))}")

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped("before it had a verdict")

    def _remove(self, namespace: str) -> None:
        if namespace not in self._mine:
            return
        try:
            kubectl.delete("namespace", namespace)
        except (AssertionError, subprocess.SubprocessError):
            return  # an interrupt of the terminal also reaches kubectl: the sweep tries again
        self._mine.discard(namespace)

    def _sweep(self) -> None:
        for namespace in sorted(self._mine):
            kubectl.delete("namespace", namespace)
            self._mine.discard(namespace)


def results(system: System) -> list[Seen]:
    """All results of a test's last run: the status holds the worst fifty only."""
    found = kubectl.get("configmap", f"{system.test_name}-results", system.namespace)
    if found is None:
        return []
    document = json.loads(gzip.decompress(base64.b64decode(found["binaryData"]["results.json.gz"])))
    if document["truncated"]:
        raise AssertionError("the results were cut: what is missing cannot be judged")
    return [Seen(item["id"], item["verdict"], item.get("seen", "")) for item in document["results"]]


def _system(folder: Path, texts: Texts, namespace: str) -> System:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return System.load(folder, namespace)


def _finding(trial: Trial, verdict: str, seen: list[Seen]) -> Finding:
    if trial.mutant:
        return attribute(trial.mutant.expect, verdict, seen)
    red = tuple(case for case in seen if case.verdict not in QUIET)
    return Finding(Score.KILLED if verdict == "Pass" and not red else Score.MISATTRIBUTED, red, strays=red)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
