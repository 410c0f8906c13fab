"""Reports for machines: JSON, and JUnit XML that is never greener than the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as Xml

from zerotrust.api.status import Result, Verdict
from zerotrust.cli.catalogue import CaseId, definition
from zerotrust.cli.exits import Exit
from zerotrust.cli.terminal import safe
from zerotrust.cli.view import View

_FAILED = {
    Verdict.BREACH: "failure",
    Verdict.LOCKOUT: "failure",
    Verdict.ERROR: "error",
    Verdict.INCONCLUSIVE: "error",
    Verdict.WAIVED: "skipped",
    Verdict.SKIPPED: "skipped",
}


def dump(document: Any) -> str:
    """JSON in ASCII: whatever a string holds, a terminal shows it and does not obey it."""
    return json.dumps(document, indent=2).replace("\x7f", "\\u007f")


def as_json(view: View | None, name: str, code: Exit, problem: str = "") -> dict[str, Any]:
    """A test's report as data; ``problem``: why there is no verdict, or none that counts."""
    document: dict[str, Any] = {"test": name, "verdict": None, "exitCode": int(code), "message": problem}
    if view is None:
        return document
    status = view.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    for field in ("results", "resultsTotal", "resultsTruncated", "verdict"):
        status.pop(field, None)
    return document | {
        "verdict": view.status.verdict,
        "message": problem or view.message,
        "generation": view.generation,
        **status,
        "resultsMissing": view.missing,
        "results": [_result(result) for result in view.results],
    }


def _result(result: Result) -> dict[str, Any]:
    known = definition(result.id)
    about: dict[str, Any] = {}
    if known:
        about = {
            "summary": known.summary,
            "motive": known.motive,
            "remedy": known.remedy,
            "references": list(known.references),
        }
    return result.model_dump(mode="json", by_alias=True, exclude_none=True) | about


def junit(view: View | None, name: str, code: Exit, problem: str = "") -> str:
    """JUnit XML: a suite a boundary, a case a case. What is no Pass has at least one failure or error in it."""
    root = Xml.Element("testsuites", {"name": f"zerotrust {safe(name, 200)}"})
    results = sorted(view.results, key=lambda result: CaseId.of(result.id).boundary) if view else []
    for boundary, same in groupby(results, key=lambda result: CaseId.of(result.id).boundary):
        _suite(root, safe(boundary, 80), name, view, list(same))
    red = any(_FAILED.get(result.verdict) in ("failure", "error") for result in results)
    if problem or (code is not Exit.PASS and not red) or not results:
        _whole(root, view, name, code, problem)
    _count(root, list(root))
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _suite(root: Xml.Element, boundary: str, name: str, view: View | None, results: list[Result]) -> None:
    suite = Xml.SubElement(root, "testsuite", {"name": boundary})
    run = view.status.run if view else None
    if run and run.completion_time:
        suite.set("timestamp", safe(run.completion_time.rstrip("Z"), 40))
    for result in results:
        case = CaseId.of(result.id)
        attributes = {
            "name": safe("/".join(part for part in (case.layer, case.case, case.identity) if part), 253),
            "classname": f"{safe(name, 200).replace('/', '.')}.{boundary}",
            "time": f"{(result.milliseconds or 0.0) / 1000:.3f}",
        }
        item = Xml.SubElement(suite, "testcase", attributes)
        kind = _FAILED.get(result.verdict)
        if kind:
            said = {"message": safe(result.message or result.reason, 512)}
            if kind != "skipped":
                said["type"] = result.verdict.value
            Xml.SubElement(item, kind, said).text = None if kind == "skipped" else _body(result)
    _count(suite, [suite])


def _body(result: Result) -> str:
    known = definition(result.id)
    said = [("case", result.id), ("found", result.message), ("seen", result.seen), ("tried", result.tried)]
    lines = [f"{label}: {safe(text, 512)}" for label, text in said if text]
    if known:
        lines += [f"due: {known.summary}", f"motive: {known.motive}", f"remedy: {known.remedy}"]
        lines.append(f"standards: {', '.join(known.references)}")
    return "\n".join(lines)


def _whole(root: Xml.Element, view: View | None, name: str, code: Exit, problem: str) -> None:
    """One case for the run as a whole: where no case is red although the test did not pass."""
    suite = Xml.SubElement(root, "testsuite", {"name": "run"})
    item = Xml.SubElement(
        suite, "testcase", {"name": "verdict", "classname": safe(name, 200).replace("/", "."), "time": "0.000"}
    )
    if problem or code is not Exit.PASS:
        text = problem or (view.message if view else "") or "no verdict on this spec yet"
        verdict = view.status.verdict if view else None
        kind = "failure" if code is Exit.FAIL else "error"
        Xml.SubElement(item, kind, {"message": safe(text), "type": verdict or code.name})
    _count(suite, [suite])


def _count(target: Xml.Element, suites: Iterable[Xml.Element]) -> None:
    cases = [case for suite in suites for case in suite.iter("testcase")]
    target.set("tests", str(len(cases)))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        target.set(attribute, str(sum(case.find(kind) is not None for case in cases)))
    target.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
