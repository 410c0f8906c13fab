"""``python -m zerotrust.handlers.sweep``: delete every sandbox, for uninstalling."""

from __future__ import annotations

import asyncio
import time

from zerotrust.cluster.client import Client
from zerotrust.sandbox.names import SELECTOR

PATIENCE = 120.0


async def sweep() -> int:
    """Delete every sandbox namespace and wait until they are gone; the number that is left."""
    client = await Client.connect()
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            left = await client.list("Namespace", labels=SELECTOR)
            for item in left:
                if item.get("status", {}).get("phase") != "Terminating":
                    await client.delete("Namespace", None, item["metadata"]["name"])
            if not left or time.monotonic() > deadline:
                return len(left)
            await asyncio.sleep(1.0)
    finally:
        await client.close()


if __name__ == "__main__":
    raise SystemExit(1 if asyncio.run(sweep()) else 0)
