"""The command line ``zerotrust``, also ``kubectl zerotrust``: what a test would try, and what came out."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Entry point of both commands; exits with one of ``cli.exits.Exit``."""
    from zerotrust.cli.commands import run  # noqa: PLC0415 - importing the package must not cost what the program does

    plugin = Path(sys.argv[0]).name.startswith("kubectl-")
    sys.exit(run(sys.argv[1:], program="kubectl zerotrust" if plugin else "zerotrust"))
