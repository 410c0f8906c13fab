"""``python -m tests.mutants``: run mutants on the cluster of KUBECONFIG; 0 only when each of them is killed."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.harness.system import SYSTEMS
from tests.mutants.model import MutantInvalid, chosen, load
from tests.mutants.runner import AT_ONCE, WITHIN, Report, Runner, trials
from tests.mutants.table import line, score

MUTANTS = Path(__file__).parent
INVALID = 4
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run and tell. 0: all killed; 1: not all; 4: a mutant cannot be used; 130: interrupted, and cleaned up."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        wanted = trials(chosen(load(options.mutants), options.ids), options.systems, healthy=not options.no_control)
        if not any(trial.mutant for trial in wanted):
            raise MutantInvalid(f"{options.mutants} holds no mutant")
        reports = Runner(options.at_once, options.within, told=_tell).run(wanted)
    except MutantInvalid as error:
        print(error, file=sys.stderr)
        return INVALID
    except KeyboardInterrupt:
        print("interrupted; the namespaces are deleted", file=sys.stderr)
        return INTERRUPTED
    print(f"\n{score(reports)}")
    return 0 if all(report.good for report in reports) else 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these mutants (default: all)")
    parser.add_argument("--mutants", type=Path, default=MUTANTS, help="folder of mutant files (default: %(default)s)")
    parser.add_argument("--systems", type=Path, default=SYSTEMS, help="folder of systems (default: %(default)s)")
    parser.add_argument("--at-once", type=_positive, default=AT_ONCE, help="how many at once (default: %(default)s)")
    parser.add_argument("--within", type=float, default=WITHIN, help="seconds for one mutant (default: %(default)s)")
    parser.add_argument("--no-control", action="store_true", help="do not run the systems as they are first")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _tell(report: Report) -> None:
    print(line(report), flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
