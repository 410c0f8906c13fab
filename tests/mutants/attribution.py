"""What a run on a mutant shows: was the defect found, where it is, and nothing else? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from tests.mutants.model import ACCUSATIONS, Expectation, Expected

QUIET = frozenset({"Pass", "Skipped"})


class Score(StrEnum):
    """How a mutant came out."""

    KILLED = "killed"
    MISSED = "missed"
    MISATTRIBUTED = "misattributed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Seen:
    """One case of a run: what came out, and what was seen."""

    id: str
    verdict: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A mutant's score; every case that turned; those that are as expected; those that should not have turned.

    ``without``: patterns that nothing matched with the expected verdict.
    """

    score: Score
    red: tuple[Seen, ...] = ()
    hits: tuple[Seen, ...] = ()
    strays: tuple[Seen, ...] = ()
    without: tuple[str, ...] = ()


def attribute(expect: Expectation, verdict: str | None, seen: Iterable[Seen]) -> Finding:
    """Compare what was seen with what a mutant expects; ``verdict`` is the test's own.

    A test that ends in Error before it tried any case has no cases to match: expecting Error is enough then.
    """
    red = tuple(case for case in seen if case.verdict not in QUIET)
    if not red:
        if verdict == Expected.ERROR and Expected.ERROR in expect.verdict:
            return Finding(Score.KILLED)
        return Finding(Score.MISSED, without=expect.cases)
    hits = tuple(case for case in red if case.verdict in expect.verdict and _matches(case.id, expect.cases))
    strays = tuple(case for case in red if not _explained(expect, case))
    without = tuple(pattern for pattern in expect.cases if not any(fnmatchcase(case.id, pattern) for case in hits))
    if strays:
        return Finding(Score.MISATTRIBUTED, red, hits, strays, without)
    found = not without if expect.every else bool(hits)
    return Finding(Score.KILLED if found else Score.MISSED, red, hits, strays, without)


def _matches(id_: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(id_, pattern) for pattern in patterns)


def _explained(expect: Expectation, case: Seen) -> bool:
    """Whether a case may have turned: where the defect is, or as a consequence that the mutant names.

    Where the defect is, another verdict than the expected one is let be, unless it accuses of something else.
    """
    if any(case.verdict == other.verdict and _matches(case.id, other.cases) for other in expect.also):
        return True
    accuses = case.verdict in ACCUSATIONS and case.verdict not in expect.verdict
    return not accuses and _matches(case.id, expect.cases)
