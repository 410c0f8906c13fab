"""Names and labels of everything that belongs to a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zerotrust.core.test import OUTSIDE

MANAGER = "zerotrust-operator"
MANAGED_BY = "app.kubernetes.io/managed-by"
RUN = "zerotrust.dev/run"
TEST_UID = "zerotrust.dev/test-uid"
ZONE = "zerotrust.dev/zone"
PROBE = "zerotrust.dev/probe"
IDENTITY = "zerotrust.dev/identity"
CANARY_LABEL = "zerotrust.dev/canary"
TEST = "zerotrust.dev/test"
EXPIRES = "zerotrust.dev/expires-at"
RESULTS = "zerotrust.dev/results"
SELECTOR = f"{MANAGED_BY}={MANAGER}"
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose sandbox it is: the labels that make every object findable by run and by test."""

    run: str
    test_uid: str
    test: str
    """namespace/name, for people."""

    @property
    def labels(self) -> dict[str, str]:
        return {MANAGED_BY: MANAGER, RUN: self.run, TEST_UID: self.test_uid}

    def namespace(self, zone: str) -> str:
        """The namespace of a zone in this run."""
        return f"zt-{self.run}-{zone}"

    @property
    def outside(self) -> str:
        """The namespace of the stranger and the canary."""
        return self.namespace(OUTSIDE)


def place_namespace(owner: Owner, place: str, zones: dict[str, str]) -> str:
    """Where a place's probe lives: its identity's zone, or outside."""
    return owner.namespace(zones.get(place, OUTSIDE))
