"""What a burst took goes back."""

from __future__ import annotations

import subprocess
import sys

BURST = """
from pathlib import Path
from zerotrust.handlers.memory import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

kept, burst = [], []
for number in range(400_000):
    (kept if number % 4000 == 0 else burst).append(bytes(200))
before = resident()
burst = None
give_back()
print(before, resident())
"""


def test_memory_goes_back_although_something_of_each_stretch_is_kept() -> None:
    command = [sys.executable, "-c", BURST]
    environment = {"MALLOC_ARENA_MAX": "1", "PYTHONMALLOC": "malloc", "PYTHONPATH": "operator"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
    before, after = map(int, said.split())

    assert after < before - 40 * 2**20
