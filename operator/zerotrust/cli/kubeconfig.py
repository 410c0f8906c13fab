"""Which namespace a command means when none is named: the one of the kubeconfig's context, or the pod's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEFAULT = "default"
IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def namespace(context: str | None) -> str:
    """The namespace of the (named or current) context; files of KUBECONFIG count in order, the first word wins."""
    if context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return IN_POD.read_text().strip() if IN_POD.is_file() else DEFAULT
    configs = list(_configs())
    current = context or next((c["current-context"] for c in configs if c.get("current-context")), None)
    for config in configs:
        for item in config.get("contexts") or ():
            if isinstance(item, dict) and item.get("name") == current:
                return str((item.get("context") or {}).get("namespace") or DEFAULT)
    return DEFAULT


def _configs() -> Iterator[dict[str, Any]]:
    default = str(Path.home() / ".kube" / "config")
    for name in (os.environ.get("KUBECONFIG") or default).split(os.pathsep):
        path = Path(name)
        if name and path.is_file():
            try:
                found = yaml.safe_load(path.read_text())
            except (yaml.YAMLError, OSError, UnicodeDecodeError):
                continue  # connecting reads it again and says what is wrong with it
            if isinstance(found, dict):
                yield found
