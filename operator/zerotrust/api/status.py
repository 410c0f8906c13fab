"""Status as the operator writes it; verdicts and phases as users read them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from zerotrust.layers.names import Spec


class Verdict(StrEnum):
    """Of a case, or of a test (where Fail stands for any Breach or Lockout)."""

    PASS = "Pass"  # noqa: S105 - a verdict, no password
    FAIL = "Fail"
    BREACH = "Breach"
    LOCKOUT = "Lockout"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"
    WAIVED = "Waived"
    SKIPPED = "Skipped"


class Phase(StrEnum):
    """Where a run is. For display only: nothing is decided by it."""

    PENDING = "Pending"
    PREPARING = "Preparing"
    PROBING = "Probing"
    COMPLETE = "Complete"


class Summary(Spec):
    """How many cases came out how."""

    total: int = 0
    passed: int = 0
    breaches: int = 0
    lockouts: int = 0
    inconclusive: int = 0
    errors: int = 0
    waived: int = 0
    skipped: int = 0


class Stages(Spec):
    """Where a run's time went, in seconds. All but queued and probing count from the start of the run."""

    queued: float | None = None
    sandbox: float | None = None
    """Until the namespaces stood and the credentials were made."""
    workloads: float | None = None
    """Until everything of the sandbox was created."""
    addresses: float | None = None
    """Until every door had an address and the probes were created."""
    first_fact: float | None = None
    preparing: float | None = None
    """Until all workloads were ready and all probes at work."""
    probing: float | None = None
    """From then until the verdict."""


class Run(Spec):
    """One run: of which generation, why, when, how long."""

    id: str
    attempt: int = 1
    generation: int = 0
    trigger: str = ""
    start_time: str | None = None
    completion_time: str | None = None
    duration_seconds: float | None = None
    stages: Stages | None = None


class Result(Spec):
    """One case: what came out, why, and what was seen."""

    id: str
    verdict: Verdict
    reason: Annotated[str, Field(max_length=64)] = ""
    message: Annotated[str, Field(max_length=512)] = ""
    tried: Annotated[str, Field(max_length=256)] = ""
    seen: Annotated[str, Field(max_length=256)] = ""
    milliseconds: float | None = None


class HistoryEntry(Spec):
    """One line a run."""

    id: str
    generation: int = 0
    trigger: str = ""
    verdict: Verdict
    summary: str = ""
    completion_time: str = ""
    duration_seconds: float = 0.0


class Condition(Spec):
    """A condition as in KEP-1623, with observedGeneration always set."""

    type: Annotated[str, Field(max_length=64)]
    status: Annotated[str, Field(pattern="^(True|False|Unknown)$")]
    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=1024)] = ""
    last_transition_time: str
    observed_generation: int


class Status(Spec):
    """What is known of the latest run."""

    observed_generation: int = -1
    phase: Phase | None = None
    verdict: Verdict | None = None
    summary: Summary | None = None
    run: Run | None = None
    last_pass_time: str | None = None
    next_schedule_time: str | None = None
    last_handled_rerun_at: str | None = None
    last_schedule_time: str | None = None
    results: Annotated[tuple[Result, ...], Field(max_length=50)] = ()
    results_total: int | None = None
    results_truncated: bool | None = None
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=50)] = ()
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
