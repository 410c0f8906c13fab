"""Real credentials are made once for all simulated runs."""

from __future__ import annotations

import pytest

from tests.operator.engine import world
from zerotrust.runs import run


@pytest.fixture(autouse=True, scope="session")
def credentials_made_once() -> None:
    """Each run would make its own; making them is tested elsewhere."""
    patch = pytest.MonkeyPatch()
    patch.setattr(run, "mint", world.mint)
