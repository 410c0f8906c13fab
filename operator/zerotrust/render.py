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
from zerotrust.core.test import parse
from zerotrust.layers.base import Case, Definition, Layer, Refused
from zerotrust.layers.dialects import Answer, known

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
    """The reference of every case: its definition beside the code, and how it is tried on the systems of the tests."""
    examples = _examples()
    lines = ["<!-- Rendered from the code by `make render`: do not edit. -->", "# Cases", ""]
    lines.append("A case id is `<boundary>/<layer>/<case>/<identity>`; `zerotrust explain` lists those of a test.")
    for layer in sorted(Layer.registry.values(), key=lambda layer: layer.order):
        lines += ["", f"## {layer.name}", "", (layer.spec.__doc__ or "").strip()]
        for case in layer.cases.values():
            lines += ["", f"### {layer.name}/{case.name}", "", case.summary, ""]
            lines += _facts(case, examples.get((layer.name, case.name)))
    return "\n".join(lines) + "\n"


def _examples() -> dict[tuple[str, str], Case]:
    """For each kind of case the first one that a system under tests/systems calls for."""
    found: dict[tuple[str, str], Case] = {}
    for path in sorted((ROOT / "tests" / "systems").glob("*/test.yaml")):
        resource = yaml.safe_load(path.read_text(encoding="utf-8"))
        resource["metadata"] |= {"uid": "-", "namespace": "-"}
        for boundary in parse(resource).boundaries:
            for case in boundary.cases():
                if case.trials:
                    found.setdefault((case.definition.layer, case.definition.name), case)
    return found


def _facts(case: Definition, example: Case | None) -> list[str]:
    return [
        f"- Why: {case.motive}",
        *(_tried(example) if example else []),
        *([f"- Would prove nothing if: {case.vacuous}"] if case.vacuous else []),
        f"- If it fails: {case.remedy}",
        f"- Tried from coverage: {case.coverage}",
        f"- Standards: {'; '.join(case.references)}",
    ]


def _tried(case: Case) -> list[str]:
    """How a case is tried and what counts, by its example."""
    trial = case.trials[0]
    changed = trial.approach.difference(trial.control) if trial.control else ""
    labels = [label for label in dict.fromkeys(item.label for item in case.trials) if label]
    tries = f"; {len(case.trials)} attempts: {_code(labels)}" if len(labels) > 1 else ""
    how = f"what differs from the control is {_code([changed])}" if changed else "as the identity is meant to"
    told = [f"- Tried, for example `{case.id}`: {how}{tries}"]
    if isinstance(case.expects, Refused):
        words = sorted(word.replace(":", " ") for word in case.expects.reasons)
        also = " and [the server's own words](dialects.md)" if case.answers else ""
        told.append(f"- Counts as refusal: {', '.join(words)}{also}")
    return told


def _code(texts: list[str], most: int = 12) -> str:
    shown = ", ".join(f"`{text}`" for text in texts[:most])
    return f"{shown} and {len(texts) - most} more" if len(texts) > most else shown


def dialect_page() -> str:
    """The known dialects, and how an author declares another."""
    lines = ["<!-- Rendered from the code by `make render`: do not edit. -->", "# Dialects", ""]
    lines += _DIALECTS.strip().splitlines()
    lines += ["", "| server | layer | says no with | source |", "|---|---|---|---|"]
    for dialect in known().values():
        for layer, answer in dialect.refusals.all():
            lines.append(f"| {dialect.server} | {layer} | {_answer(answer)} | {dialect.source} |")
    return "\n".join(lines) + "\n"


_DIALECTS: Final = """
A refusal counts only when it comes in words that mean one. TLS alerts and HTTP statuses have standard meanings
([cases](cases.md) names them for each case); some servers say it otherwise. What is known of them is data, one file
a server in `operator/zerotrust/layers/dialects/`, and holds at every boundary: each entry is as narrow as that
server's own words allow.

Where neither a standard nor a dialect calls an answer a refusal, the case is Inconclusive (`WrongReason`) and quotes
what was seen. If that is how your server refuses, say so at the boundary:

```yaml
boundaries:
  - name: orders
    refusals:
      mtls: [{status: 400, body: "client certificate rejected"}]     # both must be seen
      jwt:  [{status: 200, header: {name: x-denied, value: "token"}}]
      http: [{status: 418}]
```

`alert` is the name of a TLS alert (RFC 8446 section 6), `body` a text within the first 512 bytes, `header` a header's
exact value. A status below 300 needs a header or a body, or it would be refusal and success at once: an invalid spec.
"""


def _answer(answer: Answer) -> str:
    if answer.alert:
        return f"alert `{answer.alert}`"
    parts = [f"status {answer.status}"]
    if answer.header:
        parts.append(f"header `{answer.header.name}: {answer.header.value}`")
    if answer.body:
        parts.append(f"body with `{answer.body}`")
    return ", ".join(parts)


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
        "docs/dialects.md": dialect_page,
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
