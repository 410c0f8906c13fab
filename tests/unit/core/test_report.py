"""From verdicts to status: precedence, waivers, the table of conditions, and what fits into one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.support import case, parsed, quick
from zerotrust.api import reasons
from zerotrust.api.resource import RunSpec, Waiver
from zerotrust.api.resource import TestSpec as Declared
from zerotrust.api.status import Condition, HistoryEntry, Phase, Run, Status, Summary, Verdict
from zerotrust.core import report
from zerotrust.core.judge import Judgement
from zerotrust.core.report import Outcome, failure, finished, invalid, outcome, suspended, time_text, under_way
from zerotrust.layers.base import Refused

TODAY, T0, T1, T2 = "2027-03-31", "2027-03-31T10:00:00Z", "2027-03-31T11:00:00Z", "2027-03-31T12:00:00Z"
CASES = (Verdict.PASS, Verdict.BREACH, Verdict.LOCKOUT, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIPPED)


def judged(verdict: Verdict, id_: str = "web/mtls/thing/ann", **parts: Any) -> Judgement:
    return Judgement(case(Refused(frozenset()), (), id_), verdict, "Reason", parts.pop("message", "because"), **parts)


def spec(**run: Any) -> Declared:
    whole = parsed().spec
    return whole.model_copy(update={"run": RunSpec.model_validate(run)})


def came_out(verdict: Verdict, reason: str = "CasesFailed", message: str = "a message") -> Outcome:
    return Outcome(verdict, reason, message, (), Summary(total=2, passed=1, breaches=1))


RUN = Run(id="r1", generation=1, trigger="Created", start_time=T0, completion_time=T1, duration_seconds=7.5)


# the verdict on a test


@pytest.mark.parametrize(
    ("found", "verdict", "reason"),
    [
        ((), Verdict.ERROR, "NoCases"),
        ((Verdict.SKIPPED,), Verdict.ERROR, "NoCases"),
        ((Verdict.PASS,), Verdict.PASS, "AllCasesPassed"),
        ((Verdict.PASS, Verdict.SKIPPED), Verdict.PASS, "AllCasesPassed"),
        ((Verdict.PASS, Verdict.INCONCLUSIVE), Verdict.INCONCLUSIVE, "Inconclusive"),
        ((Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.ERROR), Verdict.ERROR, "CasesErrored"),
        ((Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.LOCKOUT), Verdict.FAIL, "CasesFailed"),
        ((Verdict.ERROR, Verdict.BREACH), Verdict.FAIL, "CasesFailed"),
    ],
)
def test_fail_comes_before_error_before_inconclusive_before_pass(
    found: tuple[Verdict, ...], verdict: Verdict, reason: str
) -> None:
    came = outcome([judged(each) for each in found], (), TODAY)

    assert (came.verdict, came.reason) == (verdict, reason)
    assert came.message


WAIVERS = st.lists(
    st.builds(
        lambda glob, until: Waiver(case=glob, until=until, reason="planned"),
        st.sampled_from(["*", "web/*", "web/mtls/*/ann", "web/mtls/thing/ann", "other/*", "web/http/?"]),
        st.sampled_from(["2027-03-30", TODAY, "2028-01-01"]),
    ),
    max_size=3,
)


@quick
@given(st.lists(st.sampled_from(CASES), max_size=8), WAIVERS)
def test_a_pass_has_something_that_passed_and_nothing_that_did_not(found: list[Verdict], waivers: list[Waiver]) -> None:
    came = outcome([judged(v, f"web/mtls/thing-{n}/ann") for n, v in enumerate(found)], waivers, TODAY)
    kinds = {result.verdict for result in came.results}

    if came.verdict is Verdict.PASS:
        assert Verdict.PASS in kinds
        assert kinds <= {Verdict.PASS, Verdict.WAIVED, Verdict.SKIPPED}
    counted = came.summary.model_dump()
    assert counted.pop("total") == len(found) == sum(counted.values())
    assert (Verdict.ERROR in found) == (Verdict.ERROR in kinds)


@pytest.mark.parametrize(
    ("glob", "until", "waived"),
    [
        ("web/mtls/thing/ann", "2027-03-31", True),
        ("web/mtls/thing/ann", "2027-03-30", False),
        ("web/mtls/thing/ann", "2030-01-01", True),
        ("web/mtls/*/ann", "2030-01-01", True),
        ("web/*", "2030-01-01", True),
        ("*", "2030-01-01", True),
        ("web/mtls/thin?/ann", "2030-01-01", True),
        ("web/mtls/thing", "2030-01-01", False),
        ("web/mtls/thing/an", "2030-01-01", False),
        ("mtls/thing/ann", "2030-01-01", False),
        ("web/http/*", "2030-01-01", False),
    ],
)
@pytest.mark.parametrize("verdict", [Verdict.BREACH, Verdict.LOCKOUT, Verdict.INCONCLUSIVE])
def test_a_waiver_in_force_covers_the_cases_that_its_glob_names(
    glob: str, until: str, waived: bool, verdict: Verdict
) -> None:
    waiver = Waiver(case=glob, until=until, reason="upgrade planned")
    came = outcome([judged(verdict), judged(Verdict.PASS, "web/mtls/other/ann")], [waiver], TODAY)
    result = next(result for result in came.results if result.id == "web/mtls/thing/ann")

    assert (result.verdict is Verdict.WAIVED) == waived
    if waived:
        assert "upgrade planned" in result.message
        assert (came.verdict, came.summary.waived) == (Verdict.PASS, 1)


@pytest.mark.parametrize("verdict", [Verdict.ERROR, Verdict.PASS, Verdict.SKIPPED])
def test_what_the_tool_could_not_do_cannot_be_waived(verdict: Verdict) -> None:
    came = outcome([judged(verdict)], [Waiver(case="*", until="2030-01-01", reason="x")], TODAY)

    assert came.results[0].verdict is verdict


def test_waiving_everything_proves_nothing() -> None:
    came = outcome([judged(Verdict.BREACH)], [Waiver(case="*", until="2030-01-01", reason="x")], TODAY)

    assert (came.verdict, came.reason) == (Verdict.ERROR, "NoCases")


def test_an_expired_waiver_does_not_stand_before_one_in_force() -> None:
    waivers = [Waiver(case="*", until=until, reason=until) for until in ("2020-01-01", "2030-01-01")]

    assert outcome([judged(Verdict.BREACH)], waivers, TODAY).results[0].verdict is Verdict.WAIVED


def test_results_come_worst_first_then_by_id() -> None:
    order = [*CASES, Verdict.BREACH]
    came = outcome([judged(v, f"web/mtls/{9 - n}/ann") for n, v in enumerate(order)], (), TODAY)

    assert [result.verdict for result in came.results] == [
        Verdict.BREACH,
        Verdict.BREACH,
        Verdict.LOCKOUT,
        Verdict.ERROR,
        Verdict.INCONCLUSIVE,
        Verdict.SKIPPED,
        Verdict.PASS,
    ]
    assert came.results[0].id < came.results[1].id


def test_the_message_names_the_worst_and_counts_the_rest() -> None:
    came = outcome([judged(Verdict.BREACH, f"web/mtls/thing/a{n}", message="got in") for n in range(5)], (), TODAY)

    assert came.message.startswith("Breach web/mtls/thing/a0 (got in); ")
    assert came.message.endswith("; and 2 more")


# conditions: the table

Row = Mapping[str, str]
PASSED: Row = {"Ready": "True", "Passed": "True", "Complete": "True", "Running": "False"}
FAILED: Row = {"Ready": "False", "Passed": "False", "Complete": "True", "Stalled": "True", "Running": "False"}
GIVEN_UP: Row = {"Ready": "False", "Passed": "Unknown", "Complete": "True", "Stalled": "True", "Running": "False"}
UNDER_WAY: Row = {
    "Ready": "Unknown",
    "Passed": "Unknown",
    "Complete": "False",
    "Reconciling": "True",
    "Running": "True",
}


def row(status: Status) -> Row:
    return {condition.type: condition.status for condition in status.conditions}


def done(verdict: Verdict, gate: str = "Enforce", previous: Status | None = None, now: str = T1) -> Status:
    return finished(previous or Status(), spec(gate=gate), RUN, came_out(verdict), now)


def begun(previous: Status, generation: int = 1, now: str = T1) -> Status:
    run = Run(id="r2", generation=generation, start_time=now)
    return under_way(previous, spec(), run, Phase.PROBING, reasons.RUNNING, "trying", now)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (begun(Status()), UNDER_WAY),
        (done(Verdict.PASS), PASSED),
        (done(Verdict.PASS, "Advisory"), PASSED),
        (done(Verdict.FAIL), FAILED),
        (done(Verdict.FAIL, "Advisory"), {**PASSED, "Passed": "False"}),
        (done(Verdict.ERROR), GIVEN_UP),
        (done(Verdict.INCONCLUSIVE), GIVEN_UP),
        (done(Verdict.ERROR, "Advisory"), {**PASSED, "Passed": "Unknown"}),
        (done(Verdict.INCONCLUSIVE, "Advisory"), {**PASSED, "Passed": "Unknown"}),
        (invalid(Status(), 1, "InvalidSpec", "x", T1), {**GIVEN_UP, "Complete": "False"}),
        (begun(done(Verdict.PASS)), {**PASSED, "Running": "True"}),
        (begun(done(Verdict.FAIL)), {**FAILED, "Running": "True"}),
        (begun(done(Verdict.INCONCLUSIVE)), {**GIVEN_UP, "Running": "True"}),
        (begun(done(Verdict.PASS), generation=2), UNDER_WAY),
        (begun(done(Verdict.FAIL), generation=2), UNDER_WAY),
        (begun(invalid(Status(), 1, "InvalidSpec", "x", T1)), UNDER_WAY),
        (
            suspended(Status(), spec(), 1, T1),
            {"Ready": "Unknown", "Passed": "Unknown", "Complete": "False", "Running": "False"},
        ),
        (suspended(done(Verdict.PASS), spec(), 1, T1), PASSED),
        (suspended(begun(done(Verdict.FAIL)), spec(), 1, T1), FAILED),
        (
            suspended(begun(Status()), spec(), 1, T1),
            {"Ready": "Unknown", "Passed": "Unknown", "Complete": "False", "Running": "False"},
        ),
    ],
    ids=[
        "first run",
        "pass",
        "pass, advisory",
        "fail",
        "fail, advisory",
        "error",
        "inconclusive",
        "error, advisory",
        "inconclusive, advisory",
        "invalid",
        "re-run after a pass",
        "re-run after a fail",
        "re-run after an inconclusive one",
        "run of a new generation after a pass",
        "run of a new generation after a fail",
        "run after an invalid spec",
        "suspended at once",
        "suspended after a pass",
        "suspended during a re-run",
        "suspended during the first run",
    ],
)
def test_conditions_say_what_the_table_says(status: Status, expected: Row) -> None:
    assert row(status) == expected
    assert len({condition.type for condition in status.conditions}) == len(status.conditions)
    assert all(c.observed_generation == status.observed_generation for c in status.conditions)
    assert all(c.reason for c in status.conditions)


def _times(status: Status) -> dict[str, str]:
    return {condition.type: condition.last_transition_time for condition in status.conditions}


def test_transition_times_move_only_where_a_status_changes() -> None:
    first = done(Verdict.PASS, now=T0)
    rerun = begun(first, now=T1)
    again = done(Verdict.PASS, previous=rerun, now=T2)
    failed = done(Verdict.FAIL, previous=again, now=T2)

    assert _times(first) == dict.fromkeys(PASSED, T0)
    assert _times(rerun) == {**_times(first), "Running": T1}
    assert _times(again) == {**_times(first), "Running": T2}
    assert _times(failed) == {**dict.fromkeys(FAILED, T2), "Complete": T0}


def test_a_rerun_keeps_verdict_results_and_reasons_and_says_that_it_runs() -> None:
    last = done(Verdict.FAIL)
    rerun = begun(last)

    assert (rerun.verdict, rerun.summary, rerun.results) == (last.verdict, last.summary, last.results)
    assert [c for c in rerun.conditions if c.type != "Running"] == [c for c in last.conditions if c.type != "Running"]
    assert next(c.reason for c in rerun.conditions if c.type == "Running") == reasons.RUNNING


WIPED = ("verdict", "summary", "results_total", "results_truncated")
FULL = finished(
    Status(), spec(), RUN, outcome([judged(Verdict.BREACH, f"web/mtls/thing/a{n}") for n in range(60)], (), TODAY), T1
)


@pytest.mark.parametrize(
    "status",
    [
        begun(FULL, generation=2),
        invalid(FULL, 2, "InvalidSpec", "x", T2),
        suspended(FULL, spec(), 2, T2),
    ],
    ids=["under way", "invalid", "suspended"],
)
def test_a_verdict_does_not_outlive_its_generation(status: Status) -> None:
    assert [getattr(status, name) for name in WIPED] == [None] * len(WIPED)
    assert status.results == ()
    assert status.observed_generation == 2
    assert status.history == FULL.history


def test_what_is_waited_for_is_gone_once_a_test_is_suspended_or_invalid() -> None:
    waiting = FULL.model_copy(update={"next_schedule_time": T2})

    assert suspended(waiting, spec(), 1, T2).next_schedule_time is None
    assert suspended(waiting, spec(), 2, T2).next_schedule_time is None
    assert invalid(waiting, 2, "InvalidSpec", "x", T2).next_schedule_time is None


@pytest.mark.parametrize(
    ("once", "again"),
    [
        (suspended(FULL, spec(), 1, T1), lambda status: suspended(status, spec(), 1, T2)),
        (suspended(Status(), spec(), 1, T1), lambda status: suspended(status, spec(), 1, T2)),
        (invalid(FULL, 2, "InvalidSpec", "x", T1), lambda status: invalid(status, 2, "InvalidSpec", "x", T2)),
    ],
    ids=["suspended with a verdict", "suspended without one", "invalid"],
)
def test_writing_the_same_situation_again_changes_nothing(once: Status, again: Callable[[Status], Status]) -> None:
    assert again(once) == once


# a finished run


def test_a_finished_run_is_written_down() -> None:
    status = finished(Status(), spec(), RUN, came_out(Verdict.FAIL), T1)

    assert (status.phase, status.verdict, status.run) == (Phase.COMPLETE, Verdict.FAIL, RUN)
    assert status.history == (
        HistoryEntry(
            id="r1",
            generation=1,
            trigger="Created",
            verdict=Verdict.FAIL,
            summary="1/2 passed, 1 breach",
            completion_time=T1,
            duration_seconds=7.5,
        ),
    )


def test_the_last_pass_is_remembered_through_failures() -> None:
    passed = done(Verdict.PASS, now=T0)
    failed = done(Verdict.FAIL, previous=passed, now=T1)

    assert (passed.last_pass_time, failed.last_pass_time) == (T0, T0)
    assert done(Verdict.PASS, previous=failed, now=T2).last_pass_time == T2


@pytest.mark.parametrize(("limit", "kept"), [(0, 0), (1, 1), (3, 3), (10, 5)])
def test_history_keeps_the_latest_runs_up_to_its_limit(limit: int, kept: int) -> None:
    status = Status()
    for number in range(5):
        run = RUN.model_copy(update={"id": f"r{number}"})
        status = finished(status, spec(historyLimit=limit), run, came_out(Verdict.PASS), T1)

    assert [entry.id for entry in status.history] == [f"r{n}" for n in range(4, 4 - kept, -1)]


def test_advisory_failures_have_a_reason_of_their_own() -> None:
    ready = {c.type: c.reason for c in done(Verdict.FAIL, "Advisory").conditions}

    assert ready["Ready"] == reasons.ADVISORY_FAILURES


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f600", '"', "\\", "\x00"])
def test_the_object_stays_small_whatever_5000_cases_say(letter: str) -> None:
    long = letter * 5000
    found = [
        replace(
            judged(Verdict.BREACH, f"{'b' * 40}/http/{n}/{'i' * 40}", message=long, tried=(letter * 256), seen=long),
            milliseconds=1.5,
        )
        for n in range(5000)
    ]
    previous = Status(
        history=tuple(HistoryEntry(id="r" * 20, verdict=Verdict.FAIL, summary="s" * 120) for _ in range(50))
    )
    came = outcome(found, (), TODAY)
    status = finished(previous, spec(historyLimit=50), RUN, came, T1)

    assert len(report.dump(status).encode()) < 64 * 1024
    assert status.results
    assert len(status.results) <= 50
    assert (status.results_total, status.results_truncated) == (5000, True)
    assert status.summary
    assert status.summary.breaches == 5000
    assert all(len(c.message) <= 1024 for c in status.conditions)
    assert len(came.results) == 5000


def test_results_that_all_fit_are_not_called_truncated() -> None:
    status = finished(Status(), spec(), RUN, outcome([judged(Verdict.PASS)], (), TODAY), T1)

    assert (status.results_total, status.results_truncated) == (1, False)
    assert status.results[0].message == ""


def test_a_run_without_results_has_its_reason_in_the_history() -> None:
    status = finished(Status(), spec(), RUN, failure(Verdict.ERROR, "RunTimeout", "m" * 5000), T1)

    assert status.history[0].summary == "m" * 120
    assert {c.reason for c in status.conditions if c.type == "Ready"} == {"RunTimeout"}


def test_a_status_survives_the_way_to_the_api_server_and_back() -> None:
    assert Status.model_validate(report.as_dict(FULL)) == FULL


def test_times_are_utc_in_whole_seconds() -> None:
    berlin = timezone(timedelta(hours=2))

    assert time_text(datetime(2027, 3, 31, 12, 0, 0, 999_999, berlin)) == "2027-03-31T10:00:00Z"


def test_every_condition_fits_the_schema() -> None:
    for status in (FULL, begun(FULL), done(Verdict.PASS)):
        assert [Condition.model_validate(c.model_dump(by_alias=True)) for c in status.conditions]
