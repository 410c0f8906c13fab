"""The cases a test would run: what must happen, and how it is tried. No cluster is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any

from zerotrust.api.resource import Waiver
from zerotrust.cli.terminal import Page, safe, wrapped
from zerotrust.core.plan import cases
from zerotrust.core.test import Test
from zerotrust.layers.base import Admitted, Approach, Case, Presents, Refused, Trial

MAX_WAYS = 3
MIN_HOW = 44
"""Columns that how a case is tried needs beside its id; with less it stands below."""
MUST = {Admitted: "let in", Refused: "refused", Presents: "proven"}
STYLE = {Admitted: "green", Refused: "red", Presents: "cyan"}


def how(case: Case, ways: int = MAX_WAYS) -> str:
    """How a case is tried, in one line; of several ways the first few."""
    if case.skipped:
        return f"not tried: {case.skipped}"
    if not case.trials:
        return "cannot be tried: nobody is trusted here"
    if len(case.trials) == 1:
        return _trial(case, case.trials[0])
    labels = [trial.label for trial in case.trials]
    more = f"  (+{len(labels) - ways})" if len(labels) > ways else ""
    return f"{len(labels)} ways: {'  '.join(labels[:ways])}{more}"


def _trial(case: Case, trial: Trial) -> str:
    match case.expects:
        case Presents(identity):
            return f"the server's certificate must be that of {identity}"
        case Refused() if trial.control is not None:
            return trial.approach.difference(trial.control) or trial.label
        case Refused():
            return f"{approach(trial.approach)}; control: the target's readiness probe"
        case _:
            return approach(trial.approach)


def approach(way: Approach) -> str:
    """An approach in words: what is done, from whose place, with which credentials."""
    what = f"{way.call.method} {way.call.target}" if way.call else "TLS handshake" if way.tls else "connect"
    parts = [what if way.call else f"{what}, port {way.port}", f"from {way.place}"]
    if way.certificate:
        parts.append(f"certificate {way.certificate.name}")
    if way.token:
        parts.append(f"token {way.token.name}")
    return ", ".join(parts)


def show(page: Page, test: Test, today: str, *, wide: bool = False) -> None:
    """A test's cases as a table: below each rule the cases that try it, ids whole at any width."""
    found = cases(test)
    where = f"{test.namespace}/{test.name}" if test.namespace else test.name
    page.gap()
    page.line((where, "bold"), f"  {_counts(found)}")
    ids = max((len(case.id) for case in found), default=0)
    beside = not wide and 13 + ids + 2 + MIN_HOW <= page.width
    page.gap()
    page.line(
        (f"    {'MUST BE':9}{'CASE':{ids}}  TRIED WITH" if beside else f"    {'MUST BE':9}CASE, AND TRIED WITH", "bold")
    )
    for (boundary, layer), block in groupby(found, key=lambda case: (case.boundary, case.definition.layer)):
        listed = list(block)
        page.gap()
        page.line((f"{boundary}/{layer}", "bold"), (f"  {_plural(len(listed), 'case')}", "dim"))
        for _, same in groupby(listed, key=lambda case: case.definition.name):
            _rule(page, list(same), ids if beside else 0, wide=wide)
    _waivers(page, test.spec.waivers, found, today)
    page.gap()
    page.line(_by_layer(found))


def _rule(page: Page, same: list[Case], ids: int, *, wide: bool) -> None:
    definition = same[0].definition
    page.prose(definition.summary, indent=2)
    for case in same:
        must = ("skipped", "dim") if case.skipped else (MUST[type(case.expects)], STYLE[type(case.expects)])
        front = (f"    {must[0]:9}", must[1])
        if ids:
            lines = wrapped(safe(how(case)), page.width - 15 - ids)
            page.line(front, f"{case.id:{ids}}  ", (lines[0], "dim"))
            for line in lines[1:]:
                page.line((f"{'':{15 + ids}}{line}", "dim"))
            continue
        page.line(front, case.id)
        if wide and len(case.trials) > 1:
            for trial in case.trials:
                page.prose(safe(_trial(case, trial)), indent=15, style="dim")
        else:
            page.prose(safe(how(case)), indent=15, style="dim")
    if wide:
        page.prose(definition.motive, indent=4, label="motive")
        page.prose(definition.remedy, indent=4, label="remedy")
        page.listing(definition.references, indent=4, label="standards")
        page.gap()


def _waivers(page: Page, waivers: Iterable[Waiver], found: list[Case], today: str) -> None:
    lines = []
    for waiver in waivers:
        count = sum(fnmatchcase(case.id, waiver.case) for case in found)
        expired = waiver.until < today
        state = "expired" if expired else "matches no case" if not count else f"covers {_plural(count, 'case')}"
        lines.append((waiver.case, f"until {waiver.until}: {state}; {safe(waiver.reason)}", expired or not count))
    if lines:
        page.gap()
        page.line(("Waivers", "bold"))
    for case, text, idle in lines:
        page.line(f"  {case}")
        page.prose(text, indent=4, style="yellow" if idle else "dim")


def _counts(found: list[Case]) -> str:
    must = Counter("skipped" if case.skipped else MUST[type(case.expects)] for case in found)
    named = ", ".join(f"{must[word]} {word}" for word in (*MUST.values(), "skipped") if must[word])
    return f"{_plural(len(found), 'case')}: {named}" if found else "no case: nothing would be proven"


def _by_layer(found: list[Case]) -> str:
    layers = Counter(case.definition.layer for case in found)
    return f"{_plural(len(found), 'case')} by layer: " + ", ".join(f"{name} {n}" for name, n in layers.items())


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def as_json(test: Test) -> dict[str, Any]:
    """A test's cases as data."""
    found = cases(test)
    return {
        "namespace": test.namespace,
        "name": test.name,
        "total": len(found),
        "layers": dict(Counter(case.definition.layer for case in found)),
        "cases": [_case(case) for case in found],
    }


def _case(case: Case) -> dict[str, Any]:
    definition = case.definition
    return {
        "id": case.id,
        "boundary": case.boundary,
        "layer": definition.layer,
        "identity": case.identity,
        "mustBe": MUST[type(case.expects)],
        "skipped": case.skipped,
        "tried": [_trial(case, trial) for trial in case.trials],
        "reasons": sorted(case.expects.reasons) if isinstance(case.expects, Refused) else [],
        "summary": definition.summary,
        "motive": definition.motive,
        "remedy": definition.remedy,
        "references": list(definition.references),
    }
