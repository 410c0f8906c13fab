"""The cluster, through the commands a user has: kubectl and helm."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

import yaml

Object = dict[str, Any]


class CommandFailed(AssertionError):
    """A command that ended badly, with what it said."""


def run(*command: str, stdin: str | None = None, timeout: float = 120.0, check: bool = True) -> str:
    """A command's standard output. Errors: CommandFailed."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise CommandFailed(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None, timeout: float = 120.0, check: bool = True) -> str:
    """kubectl, on the cluster that KUBECONFIG names."""
    return run("kubectl", *arguments, stdin=stdin, timeout=timeout, check=check)


def get(kind: str, name: str, namespace: str | None = None) -> Object | None:
    """An object, or None."""
    where = ("-n", namespace) if namespace else ()
    text = kubectl("get", kind, name, *where, "-o", "json", "--ignore-not-found")
    return json.loads(text) if text.strip() else None


def items(kind: str, *arguments: str) -> list[Object]:
    """All objects that a list gives."""
    found: list[Object] = json.loads(kubectl("get", kind, *arguments, "-o", "json"))["items"]
    return found


def apply(objects: Sequence[Object], *arguments: str) -> None:
    """Server-side apply."""
    text = yaml.safe_dump_all(objects)
    kubectl("apply", "--server-side", "--force-conflicts", *arguments, "-f", "-", stdin=text)


def delete(kind: str, name: str, namespace: str | None = None, *, wait: bool = False) -> None:
    """Delete, whether it is there or not."""
    where = ("-n", namespace) if namespace else ()
    kubectl("delete", kind, name, *where, "--ignore-not-found", f"--wait={str(wait).lower()}", timeout=180)
