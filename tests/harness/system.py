"""A system under test: a folder with ``test.yaml``, ``manifests/*.yaml``, ``images.yaml`` and a README."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from tests.harness import api, kubectl
from tests.harness.kubectl import Object
from tests.harness.waiting import eventually

SYSTEMS = Path(__file__).parents[1] / "systems"
KIND = "zerotrusttests.zerotrust.dev"


@dataclass
class System:
    """A system's test and manifests, to be changed at will before it is applied."""

    name: str
    test: Object
    manifests: dict[str, str]
    namespace: str = "default"
    _applied: bool = field(default=False, repr=False)

    @classmethod
    def load(cls, folder: Path, namespace: str) -> Self:
        """Read a system's folder."""
        test = yaml.safe_load((folder / "test.yaml").read_text())
        files = {path.name: path.read_text() for path in sorted((folder / "manifests").glob("*.yaml"))}
        test["metadata"]["namespace"] = namespace
        return cls(folder.name, test, files, namespace)

    @property
    def test_name(self) -> str:
        return str(self.test["metadata"]["name"])

    def edit(self, file: str, old: str, new: str) -> Self:
        """Replace text in a manifest; a text that is not there exactly once is an error."""
        count = self.manifests[file].count(old)
        if count != 1:
            raise ValueError(f"{file}: {old!r} is there {count} times, must be once")
        self.manifests[file] = self.manifests[file].replace(old, new)
        return self

    def change(self, edit: Callable[[Object], object]) -> Self:
        """Change the test itself."""
        edited = copy.deepcopy(self.test)
        edit(edited)
        self.test = edited
        return self

    def apply(self) -> Self:
        """Apply namespace, manifests and test, as a user would."""
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        packed = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{self.test_name}-manifests", "namespace": self.namespace},
            "data": self.manifests,
        }
        kubectl.apply([space])
        kubectl.apply([packed, self.test])
        self._applied = True
        return self

    def resource(self) -> Object:
        """The test as the API server has it."""
        found = api.get(KIND, self.test_name, self.namespace)
        assert found is not None, f"{self.namespace}/{self.test_name} is gone"
        return found

    def verdict(self, *, within: float = 120.0, generation: int | None = None, after: str = "") -> Object:
        """The status once the test's current generation is Complete, in another run than ``after``."""

        def look() -> Object | None:
            found = self.resource()
            status: Object = found.get("status", {})
            wanted = generation or found["metadata"]["generation"]
            complete = condition(status, "Complete")
            assert complete.get("status") == "True", summary(status)
            assert complete.get("observedGeneration") == wanted, summary(status)
            assert condition(status, "Running").get("status") == "False", summary(status)
            assert not after or status["run"]["id"] != after, f"still the run before: {summary(status)}"
            return status

        return eventually(f"{self.namespace}/{self.test_name} to be Complete", look, within=within)

    def delete(self, *, wait: bool = False) -> None:
        """Delete the test and its namespace."""
        kubectl.delete(KIND, self.test_name, self.namespace)
        kubectl.delete("namespace", self.namespace, wait=wait)


def condition(status: Object, kind: str) -> dict[str, Any]:
    """One condition of a status; empty where it is absent."""
    return next((c for c in status.get("conditions", ()) if c["type"] == kind), {})


def summary(status: Object) -> str:
    """A status in a line, for messages."""
    ready = condition(status, "Ready")
    return (
        f"phase {status.get('phase')}, verdict {status.get('verdict')}, {ready.get('reason')}: {ready.get('message')}"
    )


def sandboxes(test_uid: str = "") -> list[str]:
    """Names of the operator's namespaces, of one test or of all."""
    selector = "app.kubernetes.io/managed-by=zerotrust-operator"
    if test_uid:
        selector += f",zerotrust.dev/test-uid={test_uid}"
    return [item["metadata"]["name"] for item in api.items("namespaces", labels=selector)]
