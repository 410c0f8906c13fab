"""What the runner says: a line for each mutant as it ends, and the score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.mutants.attribution import Score, Seen
from tests.mutants.runner import HEALTHY, Report

MAX_CASES = 12


def line(report: Report) -> str:
    """One report: score, seconds, id and title; below it what explains a score that is not good."""
    first = f"{_word(report):<13} {report.seconds:6.1f} s  {report.id}: {report.title}"
    return "\n".join([first, *(f"{'':15}{text}" for text in _why(report))])


def score(reports: Sequence[Report]) -> str:
    """The score table, systems as they are counted apart."""
    mutants = [report for report in reports if not _is_control(report)]
    counts = Counter(report.finding.score for report in mutants)
    rows = [f"{kind:<13} {counts[kind]:4d}" for kind in Score]
    seconds = sorted(report.seconds for report in mutants)
    middle = f", median {seconds[len(seconds) // 2]:.1f} s" if seconds else ""
    killed = f"score         {counts[Score.KILLED]:4d} of {len(mutants)} killed{middle}"
    sick = [report.id for report in reports if _is_control(report) and not report.good]
    return "\n".join([*rows, killed, *(f"{id_} did not pass: its mutants prove nothing" for id_ in sick)])


def _is_control(report: Report) -> bool:
    return report.id.startswith(f"{HEALTHY}-")


def _word(report: Report) -> str:
    if _is_control(report):
        return "passed" if report.good else "NOT HEALTHY"
    return str(report.finding.score)


def _why(report: Report) -> list[str]:
    if report.good:
        return []
    if report.problem:
        return [report.problem[:1000]]
    finding = report.finding
    lines = [f"test verdict {report.verdict}"]
    lines += [f"expected, not seen: {pattern}" for pattern in finding.without]
    lines += _cases("not expected", finding.strays)
    return lines


def _cases(what: str, cases: Sequence[Seen]) -> list[str]:
    lines = [f"{what}: {case.verdict} {case.id} ({case.detail})" for case in cases[:MAX_CASES]]
    return lines + ([f"and {len(cases) - MAX_CASES} more"] if len(cases) > MAX_CASES else [])
