"""The whole program: read the plan, open the ports, say hello, go round until told to stop."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from zerotrust.contract import PLAN_FILE, Hello, Plan, load_plan
from zerotrust.probe.output import Writer
from zerotrust.probe.ports import open_own

DIRECTORY = "/etc/zerotrust"
LAST_LINE = 0.05
"""Seconds which a line under way has to end when the probe is told to stop."""


def main(arguments: Sequence[str]) -> int:
    """Run until told to stop (exit 0). Exit 2, with a line on standard error: the plan cannot be done."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    directory = arguments[0] if arguments else DIRECTORY
    try:
        plan = read(directory)
        writer = Writer(plan.run)
        _stop_by(writer, plan.lifetime)
        open_own(plan.listen)
        if plan.serve is not None:
            from zerotrust.probe.doors import open_doors  # noqa: PLC0415 - only canaries need TLS as a server

            open_doors(plan.serve, directory)
    except (OSError, ValueError, OverflowError) as error:
        print(f"zerotrust probe: {error}", file=sys.stderr)
        return 2
    writer.hello(Hello(plan.place, len(plan.asks)))
    _go(plan, directory, writer)
    return 0


def read(directory: str) -> Plan:
    """The plan in a directory. Errors: OSError, ValueError when it or a credential it names is not there."""
    with open(f"{directory}/{PLAN_FILE}", encoding="utf-8") as file:  # noqa: PTH123 - pathlib is slow to load
        plan = load_plan(file.read())
    ids = [ask.id for ask in plan.asks]
    if len(set(ids)) < len(ids):
        raise ValueError("not a plan: two asks have the same id")
    names = {ask.tls.credential for ask in plan.asks if ask.tls is not None}
    there = os.listdir(directory)  # noqa: PTH208 - as above
    missing = sorted(name for name in names if name is not None and f"{name}.pem" not in there)
    if missing:
        raise ValueError(f"credentials missing: {', '.join(missing)}")
    return plan


def _go(plan: Plan, directory: str, writer: Writer) -> None:
    if not plan.asks:
        while True:
            signal.pause()
    # Their modules are loaded after the first line, which says that the probe is up.
    from zerotrust.probe.attempt import Attempts  # noqa: PLC0415 - see above
    from zerotrust.probe.rounds import Rounds  # noqa: PLC0415 - see above

    Rounds(plan, Attempts(plan, directory, writer).attempt).run()


def _stop_by(writer: Writer, lifetime: float) -> None:
    """End the process on a signal, or after a lifetime (seconds), with no line torn."""

    def stop(*_: object) -> None:
        writer.silence(LAST_LINE)
        os._exit(0)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, stop)
    signal.setitimer(signal.ITIMER_REAL, max(lifetime, 0.001))
