"""The probe as a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter

import zerotrust.contract
from zerotrust.contract import MAX_LINE_BYTES, PLAN_FILE, Ask, Fact, Line, Plan, Serve, dump

_LINE = TypeAdapter(Line)
SOURCE = Path(zerotrust.contract.__file__).parent.parent
LIFETIME = 20.0


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def plan(
    asks: Sequence[Ask] = (),
    lifetime: float = LIFETIME,
    interval: float = 0.05,
    pause: float = 0.02,
    workers: int = 8,
    serve: Serve | None = None,
) -> Plan:
    """A plan with short waits."""
    return Plan("run-1", "shop/checkout", tuple(asks), lifetime, free_port(), interval, pause, workers, serve)


def command(directory: Path) -> list[str]:
    """The probe's command line."""
    return [sys.executable, "-m", "zerotrust.probe", str(directory)]


class Probe:
    """A running probe and the lines it printed, each checked as it arrives."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[Line] = []

    def next(self) -> Line:
        """The next line; an assertion fails when there is none or it breaks the contract."""
        assert self.process.stdout is not None
        raw = self.process.stdout.readline()
        assert raw.endswith(b"\n"), "the probe has ended"
        assert len(raw) <= MAX_LINE_BYTES
        line = _LINE.validate_json(raw)
        assert (line.run, line.number) == ("run-1", len(self.lines))
        self.lines.append(line)
        return line

    def facts(self, count: int) -> list[Fact]:
        """All facts so far, once there are so many."""
        while len(facts := [line.fact for line in self.lines if line.fact is not None]) < count:
            self.next()
        return facts

    def stop(self) -> tuple[int, float]:
        """Exit status and seconds to the end, after a SIGTERM."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(5), time.monotonic() - began


@contextlib.contextmanager
def running(directory: Path, the_plan: Plan, secret: Path | None = None) -> Iterator[Probe]:
    """A probe with this plan and the credentials of ``secret``, killed at the end."""
    for credential in secret.glob("*.pem") if secret else ():
        shutil.copy(credential, directory)
    (directory / PLAN_FILE).write_text(dump(the_plan))
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(command(directory), stdout=subprocess.PIPE, env=environment) as process:
        try:
            yield Probe(process)
        finally:
            process.kill()
