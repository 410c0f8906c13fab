"""What to do about a test, from what it says and what is known of its last run. Pure; the clock is an argument."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from zerotrust.api.status import Status
from zerotrust.core.test import Test

MAX_ATTEMPTS = 3
"""Attempts at one run: what takes the operator down each time must not do so for ever."""
MISSED_AFTER = timedelta(hours=1)
"""A tick that the operator slept through is made up for this long."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start a run now."""

    trigger: str
    attempt: int = 1
    scheduled: str | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do until ``until``, if that is ever."""

    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suspend:
    """The author asked for quiet."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The run was interrupted too often."""


Decision = Start | Rest | Suspend | GiveUp


def decide(test: Test, status: Status, now: datetime) -> Decision:
    """Level-triggered: the same world gives the same answer, however often it is asked."""
    if test.spec.run.suspend:
        return Suspend()
    interrupted = status.run is not None and status.run.completion_time is None
    if interrupted and status.run and status.run.generation == test.generation:
        attempt = status.run.attempt + 1
        return GiveUp() if attempt > MAX_ATTEMPTS else Start(status.run.trigger, attempt)
    rejected = _is_rejected(status, test.generation)
    if status.observed_generation != test.generation or (status.verdict is None and not rejected):
        return Start("Created" if status.run is None else "SpecChanged")
    if test.rerun and test.rerun != status.last_handled_rerun_at:
        return Start("Rerun")
    return _by_schedule(test, status, now)


def _is_rejected(status: Status, generation: int) -> bool:
    """Whether this generation was refused for good: only its author can change that, or ask again."""
    return status.verdict is None and any(
        c.type == "Stalled" and c.status == "True" and c.observed_generation == generation for c in status.conditions
    )


def _by_schedule(test: Test, status: Status, now: datetime) -> Decision:
    due = next_time(test, status, now)
    if due is None:
        return Rest()
    if due <= now:
        return Start("Schedule", scheduled=due.astimezone(UTC).isoformat())
    return Rest(due)


def next_time(test: Test, status: Status, now: datetime) -> datetime | None:
    """When the schedule calls next: the first tick after the last one handled, spread by the test's uid."""
    run = test.spec.run
    if not run.schedule:
        return None
    zone = ZoneInfo(run.time_zone)
    last = max(_time(status.last_schedule_time), _time(status.run.start_time if status.run else None))
    # In UTC, for on a wall clock a sum can land an hour away, and a tick lie before what it follows.
    since = max(last, now - MISSED_AFTER).astimezone(UTC) - jitter(test)
    ticks = croniter(run.schedule, since.astimezone(zone))
    tick: datetime = ticks.get_next(datetime)
    while tick.astimezone(UTC) <= since:
        tick = ticks.get_next(datetime)
    return tick.astimezone(UTC) + jitter(test)


def jitter(test: Test) -> timedelta:
    """Up to ten seconds, the same for a test each time, so that a full hour does not start all at once."""
    return timedelta(milliseconds=int(hashlib.sha256(test.uid.encode()).hexdigest()[:6], 16) % 10_000)


def _time(text: str | None) -> datetime:
    if not text:
        return datetime.fromtimestamp(0, UTC)
    return datetime.fromisoformat(text)
