"""From verdicts to status: summary, results, conditions, history. One place decides every condition."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import Any

from zerotrust.api import reasons
from zerotrust.api.resource import Gate, TestSpec, Waiver
from zerotrust.api.status import Condition, HistoryEntry, Phase, Result, Run, Status, Summary, Verdict
from zerotrust.core.judge import Judgement

MAX_RESULTS = 50
MAX_STATUS_BYTES = 48 * 1024
WORST_FIRST = (
    Verdict.BREACH,
    Verdict.LOCKOUT,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.WAIVED,
    Verdict.SKIPPED,
    Verdict.PASS,
)
_COUNTED = {
    Verdict.PASS: "passed",
    Verdict.BREACH: "breaches",
    Verdict.LOCKOUT: "lockouts",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.ERROR: "errors",
    Verdict.WAIVED: "waived",
    Verdict.SKIPPED: "skipped",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run came out: its verdict, why, and every case's result, worst first."""

    verdict: Verdict
    reason: str
    message: str
    results: tuple[Result, ...] = ()
    summary: Summary = field(default_factory=Summary)


def time_text(moment: datetime) -> str:
    """RFC 3339 in whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def outcome(judgements: Iterable[Judgement], waivers: Sequence[Waiver], today: str) -> Outcome:
    """The verdict on a test. Fail before Error before Inconclusive before Pass; never Pass with nothing passed."""
    results = [_result(item, waivers, today) for item in judgements]
    results.sort(key=lambda item: (WORST_FIRST.index(item.verdict), item.id))
    counts = {name: sum(r.verdict is verdict for r in results) for verdict, name in _COUNTED.items()}
    summary = Summary(total=len(results), **counts)
    verdict, reason = _verdict(summary)
    return Outcome(verdict, reason, _message(verdict, summary, results), tuple(results), summary)


def failure(verdict: Verdict, reason: str, message: str) -> Outcome:
    """A run without results."""
    return Outcome(verdict, reason, message[:1000])


def _verdict(summary: Summary) -> tuple[Verdict, str]:
    if summary.breaches or summary.lockouts:
        return Verdict.FAIL, reasons.CASES_FAILED
    if summary.errors:
        return Verdict.ERROR, reasons.CASES_ERRORED
    if summary.inconclusive:
        return Verdict.INCONCLUSIVE, reasons.INCONCLUSIVE
    if not summary.passed:
        return Verdict.ERROR, reasons.NO_CASES
    return Verdict.PASS, reasons.ALL_CASES_PASSED


def _message(verdict: Verdict, summary: Summary, results: Sequence[Result]) -> str:
    if verdict is Verdict.PASS:
        more = f", {summary.waived} waived" if summary.waived else ""
        return f"{summary.passed} of {summary.total} cases passed{more}"
    if not summary.total:
        return "the declaration calls for no case, so nothing is proven: add a boundary with a layer"
    bad = [r for r in results if r.verdict not in (Verdict.PASS, Verdict.WAIVED, Verdict.SKIPPED)]
    named = "; ".join(f"{r.verdict} {r.id} ({r.message})" for r in bad[:3])
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    return f"{named or 'no case passed'}{more}"[:1000]


def _result(item: Judgement, waivers: Sequence[Waiver], today: str) -> Result:
    verdict, message = item.verdict, item.message
    if verdict in (Verdict.BREACH, Verdict.LOCKOUT, Verdict.INCONCLUSIVE):
        waiver = next((w for w in waivers if w.until >= today and fnmatchcase(item.case.id, w.case)), None)
        if waiver:
            verdict, message = Verdict.WAIVED, f"{item.verdict} waived until {waiver.until}: {waiver.reason}"
    bare = verdict in (Verdict.PASS, Verdict.SKIPPED)
    return Result(
        id=item.case.id,
        verdict=verdict,
        reason=item.reason,
        message="" if bare and verdict is Verdict.PASS else message[:400],
        tried="" if bare else item.tried,
        seen=item.seen[:160],
        milliseconds=item.milliseconds,
    )


class Situation(Enum):
    """What the conditions say, row by row of the table in the documentation."""

    FIRST_RUN = auto()
    RERUN = auto()
    FINISHED = auto()
    INVALID = auto()
    SUSPENDED = auto()


def conditions(
    situation: Situation,
    verdict: Verdict | None,
    gate: Gate,
    reason: str,
    message: str,
    previous: Sequence[Condition],
    generation: int,
    now: str,
) -> tuple[Condition, ...]:
    """The conditions of a situation; transition times move only where a status changes."""
    table = _table(situation, verdict, gate)
    if situation is Situation.RERUN:
        kept = [c for c in previous if c.type != "Running"]
        wanted = [(c.type, c.status, c.reason, c.message) for c in kept]
    else:
        wanted = [(kind, status, reason, message[:1000]) for kind, status in table.items()]
    running = situation in (Situation.FIRST_RUN, Situation.RERUN)
    own = reasons.RUNNING if running and situation is Situation.RERUN else reason if running else reasons.IDLE
    wanted.append(("Running", "True" if running else "False", own, ""))
    old = {c.type: c for c in previous}
    return tuple(
        Condition(
            type=kind,
            status=status,
            reason=why,
            message=text,
            observed_generation=generation,
            last_transition_time=old[kind].last_transition_time if kind in old and old[kind].status == status else now,
        )
        for kind, status, why, text in wanted
    )


def _table(situation: Situation, verdict: Verdict | None, gate: Gate) -> dict[str, str]:
    advisory = gate is Gate.ADVISORY
    match situation, verdict:
        case Situation.INVALID, _:
            return {"Ready": "False", "Passed": "Unknown", "Complete": "False", "Stalled": "True"}
        case Situation.SUSPENDED, _:
            return {"Ready": "Unknown", "Passed": "Unknown", "Complete": "False"}
        case Situation.FINISHED, Verdict.PASS:
            return {"Ready": "True", "Passed": "True", "Complete": "True"}
        case Situation.FINISHED, Verdict.FAIL:
            ready = {"Ready": "True"} if advisory else {"Ready": "False", "Stalled": "True"}
            return {**ready, "Passed": "False", "Complete": "True"}
        case Situation.FINISHED, _:
            ready = {"Ready": "True"} if advisory else {"Ready": "False", "Stalled": "True"}
            return {**ready, "Passed": "Unknown", "Complete": "True"}
        case _:
            return {"Ready": "Unknown", "Passed": "Unknown", "Complete": "False", "Reconciling": "True"}


def under_way(previous: Status, spec: TestSpec, run: Run, phase: Phase, reason: str, message: str, now: str) -> Status:
    """Status while a run is under way. A re-run of the same generation leaves the last verdict standing."""
    again = previous.verdict is not None and previous.observed_generation == run.generation
    situation = Situation.RERUN if again else Situation.FIRST_RUN
    changes: dict[str, Any] = {
        "observed_generation": run.generation,
        "phase": phase,
        "run": run,
        "conditions": conditions(
            situation, None, spec.run.gate, reason, message, previous.conditions, run.generation, now
        ),
    }
    if not again:
        changes |= {
            "verdict": None,
            "summary": None,
            "results": (),
            "results_total": None,
            "results_truncated": None,
        }
    return previous.model_copy(update=changes)


def finished(previous: Status, spec: TestSpec, run: Run, result: Outcome, now: str) -> Status:
    """Status after a run. The object stays well under 64 KiB: results are cut, never the counts."""
    gate = spec.run.gate
    reason = result.reason
    if result.verdict is Verdict.FAIL and gate is Gate.ADVISORY:
        reason = reasons.ADVISORY_FAILURES
    line = HistoryEntry(
        id=run.id,
        generation=run.generation,
        trigger=run.trigger,
        verdict=result.verdict,
        summary=_line(result),
        completion_time=run.completion_time or now,
        duration_seconds=run.duration_seconds or 0.0,
    )
    limit = spec.run.history_limit
    status = previous.model_copy(
        update={
            "observed_generation": run.generation,
            "phase": Phase.COMPLETE,
            "verdict": result.verdict,
            "summary": result.summary,
            "run": run,
            "last_pass_time": now if result.verdict is Verdict.PASS else previous.last_pass_time,
            "results": result.results[:MAX_RESULTS],
            "results_total": len(result.results),
            "results_truncated": len(result.results) > MAX_RESULTS,
            "history": (line, *previous.history)[:limit],
            "conditions": conditions(
                Situation.FINISHED, result.verdict, gate, reason, result.message, previous.conditions,
                run.generation, now,
            ),
        }
    )  # fmt: skip
    return _bounded(status)


def invalid(previous: Status, generation: int, reason: str, message: str, now: str) -> Status:
    """Status of a spec that cannot run: the last verdict no longer speaks of it."""
    return previous.model_copy(
        update={
            "observed_generation": generation,
            "phase": None,
            "verdict": None,
            "summary": None,
            "results": (),
            "results_total": None,
            "results_truncated": None,
            "next_schedule_time": None,
            "conditions": conditions(
                Situation.INVALID, None, Gate.ENFORCE, reason, message, previous.conditions, generation, now
            ),
        }
    )


def suspended(previous: Status, spec: TestSpec, generation: int, now: str) -> Status:
    """Status of a suspended test: a verdict of this generation stands, otherwise there is none."""
    current = previous.verdict is not None and previous.observed_generation == generation
    if current:
        return previous.model_copy(
            update={
                "phase": Phase.COMPLETE,
                "next_schedule_time": None,
                "conditions": _idle(previous.conditions, generation, now),
            }
        )
    message = "spec.run.suspend is set: nothing runs until it is unset"
    return previous.model_copy(
        update={
            "observed_generation": generation,
            "phase": Phase.PENDING,
            "verdict": None,
            "summary": None,
            "results": (),
            "results_total": None,
            "results_truncated": None,
            "next_schedule_time": None,
            "conditions": conditions(
                Situation.SUSPENDED, None, spec.run.gate, reasons.SUSPENDED, message,
                previous.conditions, generation, now,
            ),
        }
    )  # fmt: skip


def _idle(previous: Sequence[Condition], generation: int, now: str) -> tuple[Condition, ...]:
    """The conditions as they are, and no run under way."""
    old = next((c for c in previous if c.type == "Running"), None)
    since = old.last_transition_time if old and old.status == "False" else now
    idle = Condition(
        type="Running",
        status="False",
        reason=reasons.SUSPENDED,
        last_transition_time=since,
        observed_generation=generation,
    )
    return (*(c for c in previous if c.type != "Running"), idle)


def _line(result: Outcome) -> str:
    s = result.summary
    if not s.total:
        return result.message[:120]
    parts = [f"{s.passed}/{s.total} passed"]
    named = (
        ("breach", s.breaches),
        ("lockout", s.lockouts),
        ("inconclusive", s.inconclusive),
        ("error", s.errors),
    )
    return ", ".join(parts + [f"{count} {name}" for name, count in named if count])


def _bounded(status: Status) -> Status:
    while len(dump(status).encode()) > MAX_STATUS_BYTES and status.results:
        keep = status.results[: len(status.results) * 3 // 4]
        status = status.model_copy(update={"results": keep, "results_truncated": True})
    return status


def dump(status: Status) -> str:
    """The status as it goes over the wire."""
    return json.dumps(as_dict(status), separators=(",", ":"), ensure_ascii=False)


def as_dict(status: Status) -> dict[str, Any]:
    """The status as JSON values, fields without a value left out."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
