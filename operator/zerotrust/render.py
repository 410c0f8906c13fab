"""Rewrite every file that is derived from the code: ``python -m zerotrust.render [--check]``."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import yaml

from zerotrust.api import reasons
from zerotrust.api.crd import definition
from zerotrust.layers.base import Definition, Layer

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


def cases() -> str:
    """The reference of every case, from its definition beside the code."""
    lines = ["<!-- Rendered from the code by `make render`: do not edit. -->", "# Cases", ""]
    lines.append("A case id is `<boundary>/<layer>/<case>/<identity>`; `zerotrust explain` lists those of a test.")
    for layer in sorted(Layer.registry.values(), key=lambda layer: layer.order):
        lines += ["", f"## {layer.name}", "", (layer.spec.__doc__ or "").strip()]
        for case in layer.cases.values():
            lines += ["", f"### {layer.name}/{case.name}", "", case.summary, "", *_facts(case)]
    return "\n".join(lines) + "\n"


def _facts(case: Definition) -> list[str]:
    return [
        f"- Why: {case.motive}",
        f"- Tried from coverage: {case.coverage}",
        *([f"- Would prove nothing if: {case.vacuous}"] if case.vacuous else []),
        f"- If it fails: {case.remedy}",
        f"- Standards: {'; '.join(case.references)}",
    ]


def reason_page() -> str:
    """The reference of reasons, from the constants and the lines below them."""
    source = Path(reasons.__file__).read_text(encoding="utf-8")
    found = re.findall(r'^[A-Z_]+: Final = "(\w+)"\n"""(.*?)"""$', source, re.MULTILINE)
    lines = ["<!-- Rendered from the code by `make render`: do not edit. -->", "# Reasons", ""]
    lines += ["Reasons of conditions and events. They are API.", "", "| reason | means |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {text} |" for name, text in found)]) + "\n"


def quickstart() -> str:
    """The gateway system as one file to apply: namespace, manifests, test."""
    folder = ROOT / "tests" / "systems" / "gateway"
    test = yaml.safe_load((folder / "test.yaml").read_text(encoding="utf-8"))
    test["metadata"]["namespace"] = "team-shop"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-shop"}}
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted((folder / "manifests").glob("*.yaml"))}
    name = {"name": f"{test['metadata']['name']}-manifests", "namespace": "team-shop"}
    packed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": files}
    return HEADER + yaml.dump_all([space, packed, test], Dumper=_Literal, sort_keys=False, width=LINE_WIDTH)


class _Literal(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Literal.add_representer(str, _text_node)

DERIVED: Final[Mapping[str, Renderer]] = MappingProxyType(
    {
        "crds/zerotrust.dev_zerotrusttests.yaml": crd,
        "charts/zerotrust-operator/files/zerotrust.dev_zerotrusttests.yaml": crd,
        "docs/cases.md": cases,
        "docs/reasons.md": reason_page,
        "samples/quickstart.yaml": quickstart,
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
