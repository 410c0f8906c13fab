"""End to end: the operator installed by Helm on the real cluster, systems applied as a user applies them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.harness import installation
from tests.harness.system import SYSTEMS, System

SystemFactory = Callable[[str], System]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the cluster."""
    for item in items:
        if "/tests/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def operator() -> None:
    """The operator as it is in this checkout, ready."""
    if "KUBECONFIG" not in os.environ:
        pytest.fail("no KUBECONFIG: run `make e2e`, which starts a cluster and loads the images")
    installation.install()


@pytest.fixture(scope="module")
def systems(operator: None) -> Iterator[SystemFactory]:
    """Makes systems in namespaces of their own; those are deleted after the module."""
    yield from _factory()


@pytest.fixture
def system(operator: None) -> Iterator[SystemFactory]:
    """Makes systems in namespaces of their own; those are deleted after the test."""
    yield from _factory()


def _factory() -> Iterator[SystemFactory]:
    made: list[System] = []

    def make(name: str) -> System:
        made.append(System.load(SYSTEMS / name, f"e2e-{name}-{uuid.uuid4().hex[:8]}"))
        return made[-1]

    yield make
    for item in made:
        item.delete()
