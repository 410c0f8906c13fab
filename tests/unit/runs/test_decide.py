"""What to do about a test follows from what it says and what is known of its last run, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.support import parsed, quick
from zerotrust.api import reasons
from zerotrust.api.status import Phase, Run, Status, Verdict
from zerotrust.core.report import Outcome, finished, invalid, suspended, under_way
from zerotrust.core.test import Test as Parsed
from zerotrust.runs.decide import (
    MAX_ATTEMPTS,
    MISSED_AFTER,
    Decision,
    GiveUp,
    Rest,
    Start,
    Suspend,
    decide,
    jitter,
    next_time,
)

NOW = datetime(2027, 3, 31, 12, 0, tzinfo=UTC)
STAMP = "2027-03-31T11:00:30Z"


def asked(generation: int = 1, rerun: str = "", **run: object) -> Parsed:
    return replace(parsed(run=run), generation=generation, rerun=rerun)


def ended(verdict: Verdict = Verdict.PASS, generation: int = 1, at: str = STAMP) -> Status:
    run = Run(id="r", generation=generation, trigger="Created", start_time=at, completion_time=at)
    return finished(Status(), parsed().spec, run, Outcome(verdict, "Reason", ""), at)


def begun(attempt: int = 1, generation: int = 1, trigger: str = "Created", before: Status | None = None) -> Status:
    run = Run(id="r", attempt=attempt, generation=generation, trigger=trigger, start_time=STAMP)
    return under_way(before or Status(), parsed().spec, run, Phase.PROBING, reasons.RUNNING, "", STAMP)


def rejected(generation: int = 1) -> Status:
    """A run that the author's manifests brought to an end without a verdict."""
    run = Run(id="r", generation=generation, start_time=STAMP, completion_time=STAMP)
    status = invalid(begun(generation=generation), generation, reasons.MANIFEST_INVALID, "x", STAMP)
    return status.model_copy(update={"run": run})


@pytest.mark.parametrize(
    ("test", "status", "decision"),
    [
        (asked(), Status(), Start("Created")),
        (asked(), ended(), Rest()),
        (asked(), ended(Verdict.FAIL), Rest()),
        (asked(), ended(Verdict.ERROR), Rest()),
        (asked(generation=2), ended(), Start("SpecChanged")),
        (asked(rerun="a"), ended(), Start("Rerun")),
        (asked(rerun="a"), ended().model_copy(update={"last_handled_rerun_at": "a"}), Rest()),
        (asked(rerun="b"), ended().model_copy(update={"last_handled_rerun_at": "a"}), Start("Rerun")),
        (asked(), ended().model_copy(update={"last_handled_rerun_at": "a"}), Rest()),
        (asked(generation=2, rerun="b"), ended(), Start("SpecChanged")),
        (asked(), begun(), Start("Created", attempt=2)),
        (asked(), begun(attempt=2, trigger="Rerun"), Start("Rerun", attempt=3)),
        (asked(), begun(attempt=MAX_ATTEMPTS), GiveUp()),
        (asked(), begun(attempt=MAX_ATTEMPTS, before=ended()), GiveUp()),
        (asked(generation=2), begun(), Start("SpecChanged")),
        (asked(generation=2), begun(attempt=MAX_ATTEMPTS), Start("SpecChanged")),
        (asked(), begun(before=ended()), Start("Created", attempt=2)),
        (asked(suspend=True), Status(), Suspend()),
        (asked(suspend=True), ended(), Suspend()),
        (asked(suspend=True), begun(), Suspend()),
        (asked(suspend=True, rerun="a"), ended(), Suspend()),
        (asked(), rejected(), Rest()),
        (asked(generation=2), rejected(), Start("SpecChanged")),
        (asked(rerun="a"), rejected(), Start("Rerun")),
        (asked(), suspended(Status(), parsed().spec, 1, STAMP), Start("Created")),
        (asked(generation=2), suspended(ended(), parsed().spec, 1, STAMP), Start("SpecChanged")),
        (asked(), Status(observed_generation=1), Start("Created")),
    ],
    ids=[
        "new",
        "passed",
        "failed",
        "given up",
        "changed",
        "asked for again",
        "asked for and done",
        "asked for once more",
        "the asking taken back",
        "changed and asked for",
        "interrupted",
        "interrupted twice",
        "interrupted too often",
        "interrupted too often in a re-run",
        "changed while interrupted",
        "changed after too many interruptions",
        "re-run interrupted",
        "suspended and new",
        "suspended",
        "suspended while interrupted",
        "suspended though asked for",
        "rejected",
        "changed after a rejection",
        "asked for after a rejection",
        "resumed without a verdict",
        "resumed with one",
        "seen but not run",
    ],
)
def test_the_same_world_gives_the_same_answer(test: Parsed, status: Status, decision: Decision) -> None:
    assert decide(test, status, NOW) == decision
    assert decide(test, status, NOW) == decision


# the schedule


def scheduled(schedule: str, zone: str = "Etc/UTC", uid: str = "0f0e") -> Parsed:
    return replace(asked(schedule=schedule, timeZone=zone), uid=uid)


def due(test: Parsed, after: datetime) -> datetime:
    """The next tick after a run at a moment, without the test's own delay."""
    stamp = after.astimezone(UTC).isoformat()
    found = next_time(test, ended(at=stamp), after)
    assert found
    return found.astimezone(UTC) - jitter(test)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "expected"),
    [
        ("0 */6 * * *", "Etc/UTC", utc(2027, 1, 1, 1), utc(2027, 1, 1, 6)),
        ("0 3 * * *", "Europe/Berlin", utc(2027, 1, 1, 1), utc(2027, 1, 1, 2)),
        ("0 3 * * *", "Europe/Berlin", utc(2027, 7, 1, 0), utc(2027, 7, 1, 1)),
        ("0 3 * * *", "Asia/Kolkata", utc(2027, 1, 1, 1), utc(2027, 1, 1, 21, 30)),
        ("0 0 29 2 *", "Etc/UTC", utc(2027, 1, 1), utc(2028, 2, 29)),
        # Berlin: 28 March 2027, 2:00 is followed by 3:00; 31 October 2027, 3:00 is followed by 2:00.
        ("0 4 * * *", "Europe/Berlin", utc(2027, 3, 27, 12), utc(2027, 3, 28, 2)),
        ("0 1 * * *", "Europe/Berlin", utc(2027, 3, 27, 12), utc(2027, 3, 28, 0)),
        ("0 4 * * *", "Europe/Berlin", utc(2027, 10, 30, 12), utc(2027, 10, 31, 3)),
        ("0 * * * *", "Europe/Berlin", utc(2027, 10, 31, 0, 30), utc(2027, 10, 31, 1)),
        ("0 * * * *", "Europe/Berlin", utc(2027, 10, 31, 1, 30), utc(2027, 10, 31, 2)),
        ("*/15 * * * *", "Europe/Berlin", utc(2027, 10, 31, 1, 20), utc(2027, 10, 31, 1, 30)),
    ],
)
def test_ticks_follow_the_wall_clock_of_the_zone(schedule: str, zone: str, after: datetime, expected: datetime) -> None:
    assert due(scheduled(schedule, zone), after) == expected


def moments(first: datetime, last: datetime) -> st.SearchStrategy[datetime]:
    """Any second between two moments, in UTC."""
    return st.integers(0, int((last - first).total_seconds())).map(lambda after: first + timedelta(seconds=after))


ZONES = ("Etc/UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca")
SCHEDULES = ("0 * * * *", "*/5 * * * *", "30 2 * * *", "0 3 * * *", "15 1,2 * * *", "0 0 * * 0", "59 23 31 12 *")


@quick
@given(
    st.sampled_from(SCHEDULES),
    st.sampled_from(ZONES),
    moments(utc(2027, 1, 1), utc(2028, 1, 1)),
    st.text(min_size=1, max_size=4),
)
def test_a_tick_that_was_handled_is_not_due_again(schedule: str, zone: str, now: datetime, uid: str) -> None:
    test = scheduled(schedule, zone, uid)
    tick = next_time(test, ended(at=(now - timedelta(hours=3)).isoformat()), now)
    assert tick
    status = ended(at=tick.isoformat()).model_copy(update={"last_schedule_time": tick.isoformat()})

    again = next_time(test, status, tick)

    assert again
    assert again > tick


AROUND_CHANGES = st.sampled_from([utc(2027, 3, 28, 1), utc(2027, 10, 31, 1), utc(2027, 11, 7, 6), utc(2027, 3, 14, 7)])


@quick
@given(
    st.sampled_from(SCHEDULES),
    st.sampled_from(("Europe/Berlin", "America/New_York")),
    AROUND_CHANGES,
    st.integers(-7200, 7200),
    st.text(min_size=1, max_size=4),
)
def test_clock_changes_start_no_storm_of_runs(schedule: str, zone: str, change: datetime, off: int, uid: str) -> None:
    test, now = scheduled(schedule, zone, uid), change + timedelta(seconds=off)
    status = ended(at=now.isoformat())

    after = next_time(test, status, now)

    assert after
    assert after > now


def _due_naively(schedule: str, moment: datetime) -> bool:
    """Whether one of the simple schedules names this minute of a wall clock."""
    minute, hour, *_ = schedule.split()
    minutes = range(0, 60, 5) if minute == "*/5" else [int(minute)]
    hours = range(24) if hour == "*" else [int(part) for part in hour.split(",")]
    return moment.minute in minutes and moment.hour in hours


@quick
@given(
    st.sampled_from([s for s in SCHEDULES if s.endswith("* * *")]),
    st.sampled_from(("Europe/Berlin", "Asia/Kathmandu")),
    moments(utc(2027, 5, 1), utc(2027, 9, 1)),
)
def test_a_tick_is_the_first_minute_that_the_schedule_names(schedule: str, zone: str, after: datetime) -> None:
    found, minute = due(scheduled(schedule, zone), after), timedelta(minutes=1)
    tick = (after - jitter(scheduled(schedule))).replace(second=0, microsecond=0) + minute
    while not _due_naively(schedule, tick.astimezone(ZoneInfo(zone))):
        tick += minute

    assert found == tick


def test_a_tick_that_has_come_starts_a_run_and_says_which() -> None:
    test = scheduled("0 * * * *")
    late = utc(2027, 3, 31, 12, 0, 30)

    assert decide(test, ended(), late) == Start("Schedule", scheduled=(utc(2027, 3, 31, 12) + jitter(test)).isoformat())
    assert decide(test, ended(), utc(2027, 3, 31, 11, 59)) == Rest(utc(2027, 3, 31, 12) + jitter(test))


def test_a_tick_that_was_slept_through_is_made_up_for_an_hour() -> None:
    daily, night = scheduled("0 3 * * *"), ended(at="2027-03-30T03:01:00+00:00")

    assert isinstance(decide(daily, night, utc(2027, 3, 31, 3, 59)), Start)
    missed = decide(daily, night, utc(2027, 3, 31, 3) + MISSED_AFTER + timedelta(minutes=1))
    assert missed == Rest(utc(2027, 4, 1, 3) + jitter(daily))


def test_many_missed_ticks_are_made_up_for_by_one_run() -> None:
    busy, now = scheduled("*/5 * * * *"), utc(2027, 3, 31, 12, 3)
    first = decide(busy, ended(at="2027-03-29T00:00:00+00:00"), now)
    assert isinstance(first, Start)
    status = ended(at=now.isoformat()).model_copy(update={"last_schedule_time": first.scheduled})

    assert isinstance(decide(busy, status, now), Rest)


def test_tests_are_spread_over_a_few_seconds_each_always_by_the_same() -> None:
    delays = {jitter(replace(parsed(), uid=str(n))) for n in range(100)}

    assert len(delays) > 50
    assert all(timedelta() <= delay < timedelta(seconds=10) for delay in delays)
    assert jitter(parsed()) == jitter(parsed())


def test_a_rejected_test_with_a_schedule_is_tried_again_when_it_calls() -> None:
    assert isinstance(decide(scheduled("0 * * * *"), rejected(), utc(2027, 3, 31, 12, 1)), Start)
    assert isinstance(decide(scheduled("0 * * * *"), rejected(), utc(2027, 3, 31, 11, 30)), Rest)


def test_a_test_without_a_schedule_has_no_next_time() -> None:
    assert next_time(parsed(), ended(), NOW) is None
