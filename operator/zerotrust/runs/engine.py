"""The engine: knows every test, runs those that are due, writes what came out, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from zerotrust.api import reasons
from zerotrust.api.errors import ApiRefused, Reject, Wait
from zerotrust.api.resource import KIND, RERUN_ANNOTATION, seconds
from zerotrust.api.status import Phase, Stages, Status, Verdict
from zerotrust.api.status import Run as RunStatus
from zerotrust.core import report
from zerotrust.core.report import Outcome, time_text
from zerotrust.core.test import Test, parse
from zerotrust.runs import decide, telling
from zerotrust.runs.ports import Clock, Cluster, Object, Observer, Settings
from zerotrust.runs.run import Run
from zerotrust.sandbox.names import EXPIRES, RUN, SELECTOR, TEST_UID

SWEEP_EVERY = 60.0
RUN_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


@dataclass
class Tracked:
    """One test: as the API server last gave it, what we last wrote of it, and its running task, if any."""

    resource: Object
    status: Status
    task: asyncio.Task[None] | None = None
    run: str = ""
    running: Test | None = None
    wake: asyncio.TimerHandle | None = None
    trouble: Wait | None = None
    """Why the last attempt of the run under way came to nothing."""
    written: str = ""
    """The status that the API server is known to have."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Engine:
    """Feed it every state of every test with ``observe`` and ``forget``; it does the rest."""

    def __init__(self, cluster: Cluster, settings: Settings, observer: Observer, clock: Clock = utc_now) -> None:
        self.cluster, self.settings, self.observer, self.clock = cluster, settings, observer, clock
        self.tests: dict[str, Tracked] = {}
        self.sandboxes: set[str] = set()
        self._places = asyncio.Semaphore(settings.max_running)
        self._background: set[asyncio.Task[None]] = set()
        self._closing = False

    # what happens to tests

    def observe(self, resource: Object) -> None:
        """A test exists in this state."""
        uid = resource["metadata"]["uid"]
        known = self.tests.get(uid)
        if known is None:
            status = _status(resource)
            known = self.tests[uid] = Tracked(resource, status, written=report.dump(status))
        known.resource = resource
        self._consider(uid)

    def forget(self, uid: str) -> None:
        """A test is gone: so is its run, and so are its sandboxes."""
        known = self.tests.pop(uid, None)
        if known is None:
            return
        if known.wake:
            known.wake.cancel()
        if known.task:
            known.task.cancel()
        self._spawn(self._remove_sandboxes(uid))

    def _consider(self, uid: str) -> None:
        known = self.tests.get(uid)
        if known is None or self._closing:
            return
        if known.task and not known.task.done():
            if self._is_obsolete(known):
                known.task.cancel()
            return
        known.task = asyncio.create_task(self._drive(uid))
        known.task.add_done_callback(lambda task: self._driven(uid, task))

    def _is_obsolete(self, known: Tracked) -> bool:
        """Whether what is running is no longer what the author asks for."""
        if known.running is None:
            return False
        return _generation(known.resource) != known.running.generation or bool(_asked(known.resource).get("suspend"))

    def _driven(self, uid: str, task: asyncio.Task[None]) -> None:
        known = self.tests.get(uid)
        if known is None or known.task is not task:
            return
        known.task, known.running, known.run = None, None, ""
        again = task.cancelled()
        if not task.cancelled() and (error := task.exception()):
            log.error("driving test %s failed", uid, exc_info=error)
            self.observer.error()
            self._wake(uid, 5.0)
        elif again or self._is_due(known):
            self._consider(uid)

    def _is_due(self, known: Tracked) -> bool:
        """Whether something was asked for while the task was busy that it has not answered."""
        if _generation(known.resource) != known.status.observed_generation:
            return True
        token, quiet = _rerun(known.resource), _asked(known.resource).get("suspend")
        return bool(token and not quiet and token != known.status.last_handled_rerun_at)

    def _wake(self, uid: str, after: float) -> None:
        known = self.tests.get(uid)
        if known is None:
            return
        if known.wake:
            known.wake.cancel()
        known.wake = asyncio.get_running_loop().call_later(max(after, 0.05), self._consider, uid)

    # one test

    async def _drive(self, uid: str) -> None:
        known = self.tests[uid]
        try:
            test = parse(known.resource)
        except Reject as error:
            await self._invalid(known, error)
            return
        while True:
            match decide.decide(test, known.status, self.clock()):
                case decide.Suspend():
                    await self._remove_sandboxes(uid)
                    status = report.suspended(known.status, test.spec, test.generation, self._stamp())
                    await self._write(known, status)
                    return
                case decide.Rest(until):
                    await self._rest(known, test, until)
                    return
                case decide.GiveUp():
                    text = f"the operator stopped {decide.MAX_ATTEMPTS} times during this run"
                    why = known.trouble or Wait(reasons.RUN_LOST, text)
                    await self._finish(known, test, report.failure(Verdict.ERROR, why.reason, why.message), {})
                case decide.Start(trigger, attempt, scheduled):
                    if attempt > 1:  # what the attempt before left behind, keys and all, has no other owner now
                        await self._remove_sandboxes(uid)
                    await self._start(known, test, trigger, attempt, scheduled)
            if _generation(known.resource) != test.generation:
                return
            test = parse(known.resource)

    async def _rest(self, known: Tracked, test: Test, until: datetime | None) -> None:
        text = time_text(until) if until else None
        if known.status.next_schedule_time != text:
            await self._write(known, known.status.model_copy(update={"next_schedule_time": text}))
        if until:
            self._wake(test.uid, (until - self.clock()).total_seconds())

    async def _invalid(self, known: Tracked, error: Reject) -> None:
        resource = known.resource
        await self._remove_sandboxes(resource["metadata"]["uid"])
        status = report.invalid(known.status, _generation(resource), error.reason, error.message, self._stamp())
        status = status.model_copy(update={"last_handled_rerun_at": _rerun(resource)})
        await self._write(known, status, telling.Event("Warning", error.reason, error.message))

    async def _start(self, known: Tracked, test: Test, trigger: str, attempt: int, scheduled: str | None) -> None:
        known.run, known.running = _run_id(), test
        run = RunStatus(
            id=known.run,
            attempt=attempt,
            generation=test.generation,
            trigger=trigger,
            start_time=self._stamp(),
        )
        changes: dict[str, Any] = {"last_handled_rerun_at": test.rerun or None}
        if scheduled:
            changes["last_schedule_time"] = scheduled
        known.status = known.status.model_copy(update=changes)
        asked = self.clock()
        if self._places.locked():
            waiting = run.model_copy(update={"attempt": attempt - 1})  # what never began is no attempt
            await self._tell(known, test, waiting, Phase.PENDING, reasons.QUEUED, "waiting for a free place")
        async with self._places:
            started = self.clock()
            stages = {"queued": (started - asked).total_seconds()}
            await self._tell(known, test, run, Phase.PREPARING, reasons.RUNNING, "the sandbox is being built")
            await self._one(known, test, run, stages)

    async def _one(self, known: Tracked, test: Test, run: RunStatus, stages: dict[str, float]) -> None:
        async def progress(phase: Phase, reason: str, message: str) -> None:
            self._spawn(self._tell(known, test, run, phase, reason, message))

        work = Run(self.cluster, self.settings, test, run.id, self.clock, progress)
        self.sandboxes.update(work.namespaces)
        keep = False
        try:
            result = await work.execute()
            known.trouble = None
            keep = _keeps(test, result)
            await self._finish(known, test, result, stages | work.stages)
        except Reject as error:
            await self._rejected(known, test, run, error)
        except Wait as error:
            known.trouble = error
            await self._tell(known, test, run, Phase.PENDING, error.reason, f"{error.message}; trying again")
            await asyncio.sleep(2.0 * run.attempt)
        except ApiRefused as error:
            result = report.failure(Verdict.ERROR, reasons.API_UNAVAILABLE, f"the API server refused: {error.message}")
            await self._finish(known, test, result, stages)
        except Exception:  # a bug of ours: told as such, once, rather than tried for ever
            log.exception("run %s of %s failed", run.id, telling.name_of(known.resource))
            self.observer.error()
            text = f"a bug of the operator ended run {run.id}: its log has the details"
            await self._finish(known, test, report.failure(Verdict.ERROR, reasons.INTERNAL_ERROR, text), stages)
        finally:
            known.run = ""
            if keep:
                await self._keep(work, test)
            else:
                self._spawn(self._leave(work))

    async def _leave(self, work: Run) -> None:
        await work.clean_up()
        self.sandboxes.difference_update(work.namespaces)

    async def _keep(self, work: Run, test: Test) -> None:
        """Let the sandbox stand for whoever wants to look; credentials and probes stay with it until it expires."""
        until = self.clock() + timedelta(seconds=seconds(test.spec.run.keep_sandbox_for))
        for name in work.namespaces:
            with suppress(Wait, ApiRefused):
                mark = {"apiVersion": "v1", "kind": "Namespace"}
                meta = {"name": name, "annotations": {EXPIRES: time_text(until)}}
                await self.cluster.apply({**mark, "metadata": meta})
        self.sandboxes.difference_update(work.namespaces)

    async def _rejected(self, known: Tracked, test: Test, run: RunStatus, error: Reject) -> None:
        """The author must act: no verdict, and no other try until the spec changes or one is asked for."""
        done = run.model_copy(update={"completion_time": self._stamp()})
        status = report.invalid(known.status, test.generation, error.reason, error.message, self._stamp())
        status = status.model_copy(update={"run": done})
        await self._write(known, status, telling.Event("Warning", error.reason, error.message))

    async def _finish(self, known: Tracked, test: Test, result: Outcome, stages: Mapping[str, float]) -> None:
        now = self.clock()
        run = known.status.run or RunStatus(id=known.run or _run_id(), generation=test.generation)
        started = datetime.fromisoformat(run.start_time) if run.start_time else now
        took = round((now - started).total_seconds(), 3)
        fields = set(Stages.model_fields)
        done = run.model_copy(
            update={
                "completion_time": time_text(now),
                "duration_seconds": took,
                "stages": Stages(**{k: round(v, 3) for k, v in stages.items() if k in fields}),
            }
        )
        before = known.status.verdict
        status = report.finished(known.status, test.spec, done, result, time_text(now))
        due = decide.next_time(test, status, now)
        status = status.model_copy(update={"next_schedule_time": time_text(due) if due else None})
        if result.results:
            with suppress(ApiRefused, Wait):
                await self.cluster.apply(telling.results_map(test, done.id, result))
        await self._write(known, status, telling.verdict_event(result, before))
        self.observer.run_finished(result.verdict, done.trigger, took, stages)
        self.observer.cases_judged([(case.id.split("/")[1], case.verdict) for case in result.results])

    # status

    async def _tell(self, known: Tracked, test: Test, run: RunStatus, phase: Phase, reason: str, message: str) -> None:
        if known.run != run.id:
            return
        status = report.under_way(known.status, test.spec, run, phase, reason, message, self._stamp())
        await self._write(known, status)

    async def _write(self, known: Tracked, status: Status, event: telling.Event | None = None) -> None:
        """Write a status that differs from the last one; the test may be gone or replaced by then."""
        changed = report.dump(status) != report.dump(known.status)
        known.status = status
        await self._publish(known)
        if event and changed:
            with suppress(ApiRefused, Wait):
                await self.cluster.create(telling.event_object(known.resource, event, self._stamp()))

    async def _publish(self, known: Tracked) -> None:
        """Bring the server to the latest status, however long that takes; one request at a time, so none overtakes."""
        uid, pause = known.resource["metadata"]["uid"], 0.5
        async with known.writing:
            while (text := report.dump(known.status)) != known.written and self.tests.get(uid) is known:
                try:
                    await self.cluster.apply(telling.status_object(known.resource, known.status), "status")
                    known.written = text
                except Wait:
                    pause = min(pause * 2, 10.0)
                    await asyncio.sleep(pause)
                except ApiRefused as error:
                    if error.status not in (404, 409):
                        self.observer.error()
                        log.error("status of %s refused: %s", telling.name_of(known.resource), error.message)
                    return

    def _stamp(self) -> str:
        return time_text(self.clock())

    # sandboxes

    async def sweep(self) -> None:
        """Delete every sandbox that no running test owns and nobody keeps."""
        with suppress(Wait, ApiRefused):
            sandboxes = await self.cluster.list("Namespace", labels=SELECTOR)
            alive = {test["metadata"]["uid"] for test in await self.cluster.list(KIND)} if sandboxes else set()
            for item in sandboxes:
                if self._is_orphan(item, alive):
                    await self.cluster.delete("Namespace", None, item["metadata"]["name"])

    def _is_orphan(self, namespace: Object, alive: set[str]) -> bool:
        meta = namespace["metadata"]
        if namespace.get("status", {}).get("phase") == "Terminating":
            return False
        labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
        uid = labels.get(TEST_UID, "")
        known = self.tests.get(uid)
        if known and known.run and known.run == labels.get(RUN):
            return False
        if known is None:
            return uid not in alive  # a test that exists will be seen in a moment
        kept = known.status.run is not None and known.status.run.id == labels.get(RUN)
        expired = notes.get(EXPIRES, "") <= self._stamp()
        return expired or not (kept and _may_keep(known))

    async def _remove_sandboxes(self, uid: str) -> None:
        with suppress(Wait, ApiRefused):
            for item in await self.cluster.list("Namespace", labels=f"{SELECTOR},{TEST_UID}={uid}"):
                await self.cluster.delete("Namespace", None, item["metadata"]["name"])

    async def sweep_for_ever(self) -> None:
        """The sweep, now and every minute."""
        while True:
            await self.sweep()
            await asyncio.sleep(SWEEP_EVERY)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        """Stop driving. Runs under way are picked up by the next operator from what exists."""
        self._closing = True
        tasks = [known.task for known in self.tests.values() if known.task] + list(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def running(self) -> int:
        """Runs under way."""
        return sum(bool(known.run) for known in self.tests.values())


def _generation(resource: Object) -> int:
    return int(resource["metadata"].get("generation", 1))


def _rerun(resource: Object) -> str | None:
    token: str | None = (resource["metadata"].get("annotations") or {}).get(RERUN_ANNOTATION)
    return token


def _asked(resource: Object) -> Mapping[str, Any]:
    """spec.run as it was written, of a spec that may be invalid."""
    return (resource.get("spec") or {}).get("run") or {}


def _status(resource: Object) -> Status:
    try:
        return Status.model_validate(resource.get("status") or {})
    except ValidationError:
        return Status()


def _run_id() -> str:
    return "".join(secrets.choice(RUN_ALPHABET) for _ in range(10))


def _keeps(test: Test, result: Outcome) -> bool:
    match test.spec.run.keep_sandbox:
        case "Always":
            return True
        case "OnFailure":
            return result.verdict is not Verdict.PASS
        case _:
            return False


def _may_keep(known: Tracked) -> bool:
    keep = _asked(known.resource).get("keepSandbox", "Never")
    return bool(keep != "Never") and known.status.verdict is not None
