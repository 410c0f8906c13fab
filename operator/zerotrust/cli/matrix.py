"""Identities and boundaries: for every pair one mark a layer, the worst of its cases."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from zerotrust.api.status import Result, Verdict
from zerotrust.cli.catalogue import CaseId
from zerotrust.cli.terminal import STYLES, Page, Part, safe
from zerotrust.core.report import WORST_FIRST
from zerotrust.layers.base import Layer

MEANING = {
    Verdict.PASS: "as declared",
    Verdict.BREACH: "Breach: the untrusted got in",
    Verdict.LOCKOUT: "Lockout: the trusted were refused",
    Verdict.ERROR: "Error",
    Verdict.INCONCLUSIVE: "Inconclusive",
    Verdict.WAIVED: "Waived",
    Verdict.SKIPPED: "Skipped",
}
MAX_HEADER = 24
GAP = 3
SEVERITY = {verdict: rank for rank, verdict in enumerate((*WORST_FIRST[:-2], Verdict.PASS, Verdict.SKIPPED))}
"""Worst first; a skipped case says less of a cell than one that passed."""


@dataclass
class Matrix:
    """The worst verdict by (identity, boundary, layer), in the order of the declaration."""

    identities: list[str]
    boundaries: list[str]
    layers: dict[str, list[str]] = field(default_factory=dict)
    cells: dict[tuple[str, str, str], Verdict] = field(default_factory=dict)
    nothing: str = "no case"
    """What an empty cell means."""

    @classmethod
    def of(cls, results: Iterable[Result], identities: Sequence[str], boundaries: Sequence[str]) -> Matrix:
        """``identities`` and ``boundaries``: as declared; whoever else turns up comes after them."""
        found = cls([], [])
        for result in results:
            case = CaseId.of(result.id)
            key = (safe(case.identity, 63), safe(case.boundary, 63), safe(case.layer, 20))
            worst = found.cells.get(key, result.verdict)
            found.cells[key] = min(worst, result.verdict, key=lambda v: SEVERITY.get(v, 0))
        found.identities = _ordered({key[0] for key in found.cells}, identities)
        found.boundaries = _ordered({key[1] for key in found.cells}, boundaries)
        order = sorted(Layer.registry, key=lambda name: Layer.registry[name].order)
        for boundary in found.boundaries:
            found.layers[boundary] = _ordered({key[2] for key in found.cells if key[1] == boundary}, order)
        return found

    def show(self, page: Page) -> None:
        """As many boundaries side by side as the page is wide."""
        if not self.cells:
            return
        names = max(len(name) for name in self.identities)
        short = _abbreviations([layer for layers in self.layers.values() for layer in layers])
        waiting = list(self.boundaries)
        while waiting:
            taken, used = [waiting.pop(0)], names
            used += GAP + self._width(taken[0], short)
            while waiting and used + GAP + self._width(waiting[0], short) <= page.width:
                used += GAP + self._width(waiting[0], short)
                taken.append(waiting.pop(0))
            page.gap()
            self._block(page, taken, names, short)
        page.gap()
        self._legend(page, short)

    def _width(self, boundary: str, short: dict[str, str]) -> int:
        cells = sum(len(short[layer]) + 1 for layer in self.layers[boundary]) - 1
        return max(cells, *(len(line) for line in _header(boundary)))

    def _block(self, page: Page, boundaries: list[str], names: int, short: dict[str, str]) -> None:
        headers = [_header(boundary) for boundary in boundaries]
        widths = [self._width(boundary, short) + GAP for boundary in boundaries]
        for number in range(max(len(header) for header in headers)):
            cells = [header[number] if number < len(header) else "" for header in headers]
            page.line((_row("", names, cells, widths), "bold"))
        letters = [" ".join(short[layer] for layer in self.layers[boundary]) for boundary in boundaries]
        page.line((_row("", names, letters, widths), "dim"))
        for identity in self.identities:
            parts: list[Part] = [f"{identity:{names + GAP}}"]
            for boundary, width in zip(boundaries, widths, strict=True):
                used = 0
                for layer in self.layers[boundary]:
                    verdict = self.cells.get((identity, boundary, layer))
                    parts.append(
                        (
                            f"{mark(verdict, page):{len(short[layer])}} ",
                            STYLES.get(verdict, "dim") if verdict else "dim",
                        )
                    )
                    used += len(short[layer]) + 1
                parts.append(" " * (width - used))
            page.line(*parts)

    def _legend(self, page: Page, short: dict[str, str]) -> None:
        page.listing((f"{letter} {layer}" for layer, letter in short.items()), label="layers")
        seen = sorted(set(self.cells.values()), key=lambda verdict: SEVERITY.get(verdict, 0))
        meanings = [f"{mark(verdict, page)} {MEANING.get(verdict, verdict)}" for verdict in seen]
        page.listing([*meanings, f"{mark(None, page)} {self.nothing}"], label="marks")


def mark(verdict: Verdict | None, page: Page) -> str:
    """One character for a verdict, plain where the terminal has no more."""
    if verdict is None:
        return "·" if page.unicode else "."
    if verdict is Verdict.PASS:
        return "✓" if page.unicode else "+"
    return verdict.value[0]


def _row(name: str, names: int, cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"{name:{names + GAP}}" + "".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))


def _header(boundary: str) -> list[str]:
    """A long name goes over several lines, at its own hyphens where it has some."""
    return textwrap.wrap(boundary, MAX_HEADER) or [""]


def _ordered(found: set[str], declared: Sequence[str]) -> list[str]:
    first = [name for name in dict.fromkeys(declared) if name in found]
    return first + sorted(found - set(first))


def _abbreviations(layers: Sequence[str]) -> dict[str, str]:
    """The shortest beginning of each layer's name that no other one has."""
    order = [name for name in Layer.registry if name in layers]
    names = _ordered(set(layers), sorted(order, key=lambda name: Layer.registry[name].order))
    short = {}
    for name in names:
        sizes = range(1, len(name) + 1)
        fits = (name[:n] for n in sizes if not any(o.startswith(name[:n]) for o in names if o != name))
        short[name] = next(fits, name)
    return short
