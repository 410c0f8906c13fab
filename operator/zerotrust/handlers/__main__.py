"""``python -m zerotrust.handlers``: the operator."""

from __future__ import annotations

import asyncio
import logging

from zerotrust.handlers.operator import run


def main() -> None:
    """Run the operator, one log line an event that matters."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("kopf.objects", "kopf._core", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    asyncio.run(run())


if __name__ == "__main__":
    main()
