"""Rewrite every file that is derived from the code: ``python -m zerotrust.render [--check]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml

from zerotrust.api.crd import definition

ROOT: Final = Path(__file__).resolve().parents[2]
"""The checkout: the package lies in ``operator/`` of it. Rendering makes no sense elsewhere."""

HEADER: Final = "# Rendered from the code by `make render`: do not edit.\n"
LINE_WIDTH: Final = 110

Renderer = Callable[[], str]


def crd() -> str:
    """The CustomResourceDefinition as one YAML document."""
    # Through JSON, so that no part is shared: YAML would write anchors where a reader wants the schema.
    unshared = json.loads(json.dumps(definition()))
    return HEADER + yaml.safe_dump(unshared, sort_keys=False, width=LINE_WIDTH, allow_unicode=True)


DERIVED: Final[Mapping[str, Renderer]] = MappingProxyType(
    {
        "crds/zerotrust.dev_zerotrusttests.yaml": crd,
        "charts/zerotrust-operator/files/zerotrust.dev_zerotrusttests.yaml": crd,
    }
)
"""Every derived file, by its path in the checkout, and what it must say. A new one is one line here."""


def differing(root: Path, derived: Mapping[str, Renderer] = DERIVED) -> dict[str, str]:
    """Paths below ``root`` whose file is missing or says something else, with what it should say."""
    wanted = {path: render() for path, render in derived.items()}
    return {path: text for path, text in wanted.items() if _text(root / path) != text}


def write(root: Path, texts: Mapping[str, str]) -> None:
    """Write each text to its path below ``root``, making folders where needed."""
    for path, text in texts.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Rewrite what differs, or with ``--check`` only name it. Returns the exit code: 1 for a failed check."""
    parser = argparse.ArgumentParser(prog="python -m zerotrust.render", description="Rewrite derived files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and name what differs")
    check: bool = parser.parse_args(arguments).check
    stale = differing(root)
    if not check:
        write(root, stale)
    for path in stale:
        print(f"{path}: differs from the code; run `make render`" if check else f"{path}: written")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
