"""A test as the cluster has it: its status read with care, its results, and where it stands."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from zerotrust.api.errors import Reject
from zerotrust.api.resource import RERUN_ANNOTATION
from zerotrust.api.status import Condition, Result, Status, Summary, Verdict
from zerotrust.cli.exits import OF_VERDICT, Exit, Stop
from zerotrust.cli.terminal import safe
from zerotrust.core.test import parse

Object = dict[str, Any]
M = TypeVar("M", bound=BaseModel)
RESULTS_KEY = "results.json.gz"
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
"""What the results may unpack to; more is not what the operator wrote."""
BAD = frozenset({Verdict.BREACH, Verdict.LOCKOUT, Verdict.ERROR, Verdict.INCONCLUSIVE})
"""Verdicts of cases that somebody should look at."""


@dataclass(frozen=True)
class View:
    """A test, its status, and the results at hand of the run that the verdict speaks of.

    ``missing``: why not all results are at hand; empty when they are.
    """

    resource: Object
    status: Status
    results: tuple[Result, ...] = ()
    missing: str = ""

    @classmethod
    def of(cls, resource: Object, results_map: Object | None = None) -> View:
        """Errors: Stop where the status is nothing this program can read."""
        status = _status(resource)
        found, why = _all_results(resource, status, results_map)
        if found is not None:
            return cls(resource, status, found, why)
        total = status.results_total if status.results_total is not None else len(status.results)
        whole = len(status.results) >= total and not status.results_truncated
        return cls(resource, status, status.results, "" if whole else why)

    @property
    def name(self) -> str:
        """namespace/name."""
        meta = self.resource["metadata"]
        return safe(f"{meta.get('namespace', '')}/{meta.get('name', '')}")

    @property
    def generation(self) -> int:
        return int(self.resource["metadata"].get("generation", 1))

    @property
    def current(self) -> bool:
        """Whether the status speaks of the spec as it is now."""
        return self.status.observed_generation == self.generation

    @property
    def running(self) -> bool:
        return self.is_true("Running")

    @property
    def rejected(self) -> bool:
        """Whether the operator refused the spec for good: there is no verdict, and its author must act."""
        return self.current and self.status.verdict is None and self.is_true("Stalled") and not self.running

    @property
    def rerun_pending(self) -> bool:
        """Whether somebody asked for a run that the operator has not started."""
        asked = (self.resource["metadata"].get("annotations") or {}).get(RERUN_ANNOTATION)
        return bool(asked) and asked != self.status.last_handled_rerun_at

    @property
    def suspended(self) -> bool:
        return bool(((self.resource.get("spec") or {}).get("run") or {}).get("suspend"))

    @property
    def deleting(self) -> bool:
        return bool(self.resource["metadata"].get("deletionTimestamp"))

    @property
    def verdict_run(self) -> str:
        """Id of the run that the verdict comes from: while another one is under way, that before it."""
        return _verdict_run(self.status)

    @property
    def exit(self) -> Exit:
        """The exit code that the verdict stands for; a verdict on another spec than the present one proves nothing."""
        if self.rejected:
            return Exit.NOT_ALLOWED
        if self.status.verdict is None or not self.current:
            return Exit.INCONCLUSIVE
        return OF_VERDICT.get(self.status.verdict, Exit.ERROR)

    @property
    def doubt(self) -> str:
        """Why there is no verdict on the present spec; empty when there is one."""
        if self.rejected:
            return f"it cannot run: {self.message}"
        if not self.current and self.status.verdict is not None:
            return (
                f"the verdict is about generation {self.status.observed_generation}; the spec is at generation "
                f"{self.generation}, of which nothing is known yet"
            )
        if not self.current:
            return "the operator has not taken it up yet"
        return "" if self.status.verdict is not None else "there is no verdict yet"

    @property
    def message(self) -> str:
        """What the operator says of the test as a whole: reason and message of its conditions."""
        found = next((c for kind in ("Complete", "Ready") if (c := self.condition(kind))), None)
        if found is None:
            return ""
        return safe(f"{found.reason}: {found.message}" if found.message else found.reason)

    def condition(self, kind: str) -> Condition | None:
        return next((c for c in self.status.conditions if c.type == kind), None)

    def is_true(self, kind: str) -> bool:
        found = self.condition(kind)
        return found is not None and found.status == "True"


def standing(view: View, *, after: str | None = None) -> str:
    """What is still being waited for; empty once a verdict on the present spec is there.

    ``after``: id of a run whose verdict is not the one wanted. Errors: Stop where no verdict will come.
    """
    if view.deleting:
        raise obstacle(view)
    run = view.status.run
    complete = view.condition("Complete")
    judged = view.current and view.status.verdict is not None and complete is not None and complete.status == "True"
    settled = judged and not view.running and not view.rerun_pending
    if settled and not (after is not None and run is not None and run.id == after):
        return ""
    if view.suspended or (view.rejected and not (view.rerun_pending and _can_run(view.resource))):
        raise obstacle(view)
    if not view.running or not view.current:
        return "waiting for the operator to take it up"
    return _doing(view)


def obstacle(view: View) -> Stop:
    """What keeps a test from running until somebody acts, as a Stop."""
    if view.deleting:
        return Stop(Exit.NOT_ALLOWED, f"{view.name} is being deleted")
    if view.suspended:
        return Stop(Exit.NOT_ALLOWED, f"{view.name} is suspended: nothing runs until spec.run.suspend is unset")
    return Stop(Exit.NOT_ALLOWED, f"{view.name} cannot run: {view.message}")


def may_run(view: View) -> bool:
    """Whether asking for a run can lead to one."""
    hopeless = view.rejected and not _can_run(view.resource)
    return not (view.deleting or view.suspended or hopeless)


def _doing(view: View) -> str:
    said = view.condition("Reconciling")
    words = f": {safe(said.message, 300)}" if said and said.status == "True" and said.message else ""
    again = " again" if view.status.verdict is not None else ""
    return f"{view.status.phase or 'Running'}{again}{words}"


def _can_run(resource: Object) -> bool:
    """Whether a re-run can help at all: the operator starts none for a spec that contradicts itself."""
    try:
        parse(resource)
    except Reject:
        return False
    return True


def _verdict_run(status: Status) -> str:
    if status.run is not None and status.run.completion_time:
        return status.run.id
    return status.history[0].id if status.history else ""


def _status(resource: Object) -> Status:
    data = resource.get("status") or {}
    try:
        return _tolerant(Status, data)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        text = f"the status of this test cannot be read (status.{safe(where, 100)}): is this program older?"
        raise Stop(Exit.ERROR, text) from None


def _tolerant(model: type[M], data: Any) -> M:
    """Validate, leaving out fields that a newer operator may have added. Errors: ValidationError."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        extra = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
        if not extra:
            raise
        pruned = json.loads(json.dumps(data))
        for *path, last in extra:
            holder = pruned
            for part in path:
                holder = holder[part]
            del holder[last]
        return model.model_validate(pruned)


def _all_results(resource: Object, status: Status, found: Object | None) -> tuple[tuple[Result, ...] | None, str]:
    """All results out of their ConfigMap, or why it cannot be used."""
    name = f"ConfigMap {safe(resource['metadata'].get('name', ''), 80)}-results"
    if status.verdict is None:
        return None, ""
    if found is None:
        return None, f"{name} is not there"
    try:
        document = json.loads(_unpack((found.get("binaryData") or {})[RESULTS_KEY]))
        if not document["run"] or document["run"] != _verdict_run(status):
            return None, f"{name} is of another run"
        summary = _tolerant(Summary, document["summary"])
        if summary != status.summary or document["verdict"] != status.verdict:
            return None, f"{name} contradicts the status"
        results = tuple(_tolerant(Result, item) for item in document["results"])
    except (ValueError, KeyError, TypeError, binascii.Error, zlib.error, RecursionError):
        return None, f"{name} cannot be read"
    if len(results) < len(status.results):
        return None, f"{name} holds less than the status"
    return results, f"{name} has room for the worst {len(results)} only" if len(results) < summary.total else ""


def _unpack(packed: str) -> bytes:
    """Gunzip, bounded. Errors: ValueError, binascii.Error, zlib.error."""
    reader = zlib.decompressobj(wbits=31)
    data = reader.decompress(base64.b64decode(packed, validate=True), MAX_DOCUMENT_BYTES)
    if not reader.eof:
        raise ValueError("more than results can be, or cut off")
    return data
