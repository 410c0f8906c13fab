"""A test's report for a person: verdict first, then who gets in where, then what failed and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from zerotrust.api.status import Phase, Result, Run, Summary, Verdict
from zerotrust.cli.catalogue import CaseId, definition
from zerotrust.cli.matrix import Matrix
from zerotrust.cli.terminal import STYLES, Page, Part, columns, safe
from zerotrust.cli.view import BAD, View
from zerotrust.core.report import WORST_FIRST

MAX_CASES = 8
"""Cases listed of one kind of finding; the rest are counted."""
MEANING = {
    Verdict.INCONCLUSIVE: "A refusal that cannot be put down to the policy: nothing is proven either way.",
    Verdict.ERROR: "The tool or the cluster failed here: the case was not tried, or not to its end.",
}
"""Where there is no failure of the system yet, its remedy would mislead."""
MAX_LISTED = 20
"""Waived cases listed."""
_COUNTS = (
    ("breaches", "breach", "breaches", Verdict.BREACH),
    ("lockouts", "lockout", "lockouts", Verdict.LOCKOUT),
    ("errors", "error", "errors", Verdict.ERROR),
    ("inconclusive", "inconclusive", "inconclusive", Verdict.INCONCLUSIVE),
    ("waived", "waived", "waived", Verdict.WAIVED),
    ("skipped", "skipped", "skipped", Verdict.SKIPPED),
)


def show(page: Page, view: View, *, brief: bool = False) -> None:
    """The report; ``brief`` leaves out the matrix and the history, as after waiting."""
    _headline(page, view)
    if not brief:
        _matrix(page, view)
    _failures(page, view)
    _waived(page, view)
    if view.status.run:
        page.gap()
        _run(page, view.status.run)
    if not brief:
        _history(page, view)


def _headline(page: Page, view: View) -> None:
    status = view.status
    if status.verdict is not None:
        page.line((status.verdict, STYLES.get(status.verdict, "bold")), f"  {view.name}")
    else:
        page.line(("Cannot run" if view.rejected else "No verdict yet", "bold yellow"), f"  {view.name}")
    if status.verdict is not None and status.summary and status.summary.total:
        page.line(*_counts(status.summary))
    listed = any(result.verdict in BAD for result in view.results)
    if view.message and status.verdict is not Verdict.PASS and not listed:
        page.prose(view.message)
    for note in _notes(view):
        page.prose(note, style="yellow")


def _counts(summary: Summary) -> list[Part]:
    parts: list[Part] = [f"{summary.passed} of {summary.total} cases passed"]
    for name, one, many, verdict in _COUNTS:
        count = getattr(summary, name)
        if count:
            parts += [", ", (f"{count} {one if count == 1 else many}", STYLES[verdict])]
    return parts


def _notes(view: View) -> Iterable[str]:
    status = view.status
    if view.deleting:
        yield "It is being deleted."
    if not view.current:
        yield _sentence(view.doubt)
    if view.suspended:
        yield "It is suspended: nothing runs until spec.run.suspend is unset."
    elif view.running and status.run:
        again = "Another run" if status.verdict is not None else "The first run of this spec"
        yield f"{again} is under way ({status.phase or Phase.PENDING})."
    elif view.rerun_pending:
        yield "Another run has been asked for."
    if view.missing:
        total = status.results_total or 0
        yield f"Only {len(view.results)} of {total} results are at hand, the worst: {view.missing}."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _matrix(page: Page, view: View) -> None:
    spec = view.resource.get("spec") or {}
    matrix = Matrix.of(view.results, _names(spec, "identities"), _names(spec, "boundaries"))
    if view.missing:
        matrix.nothing = "no result at hand"
    matrix.show(page)


def _names(spec: dict[str, Any], field: str) -> list[str]:
    items = spec.get(field)
    return [str(item.get("name")) for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _kind(result: Result) -> tuple[str, str]:
    """What a finding is told together with: failures by what had to hold, the rest by what stood in the way."""
    if result.verdict in MEANING:
        return result.verdict, safe(result.reason or "unknown", 64)
    case, known = CaseId.of(result.id), definition(result.id)
    return result.verdict, safe(f"{case.layer}/{known.name if known else case.case}", 120)


def _failures(page: Page, view: View) -> None:
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in view.results:
        if result.verdict in BAD:
            groups.setdefault(_kind(result), []).append(result)
    for (_, kind), same in sorted(groups.items(), key=lambda group: WORST_FIRST.index(group[1][0].verdict)):
        _failure(page, kind, same)


def _failure(page: Page, kind: str, same: list[Result]) -> None:
    verdict = same[0].verdict
    known = None if verdict in MEANING else definition(same[0].id)
    page.gap()
    count = f"  {len(same)} cases" if len(same) > 1 else ""
    page.line((verdict, STYLES[verdict]), "  ", (kind, "bold"), (count, "dim"))
    if verdict in MEANING:
        page.prose(MEANING[verdict], indent=2, label="means")
    if known:
        page.prose(known.summary, indent=2, label="due")
        page.prose(known.motive, indent=2, label="motive")
    _cases(page, same[:MAX_CASES])
    if len(same) > MAX_CASES:
        page.line(f"  and {len(same) - MAX_CASES} more: -o json lists them all")
    if known:
        page.prose(known.remedy, indent=2, label="remedy")
        page.listing(known.references, indent=2, label="standards", style="dim")


def _cases(page: Page, results: list[Result]) -> None:
    for result in results:
        page.line("  ", (safe(result.id, 253), "bold"))
        seen, message = safe(result.seen, 256), safe(result.message, 512)
        page.prose(message or safe(result.reason, 64), indent=4, label="found")
        if seen and seen not in message:
            page.prose(seen, indent=4, label="seen")
        if result.tried:
            page.prose(safe(result.tried, 256), indent=4, label="tried")


def _waived(page: Page, view: View) -> None:
    waived = [result for result in view.results if result.verdict is Verdict.WAIVED]
    if waived:
        page.gap()
        page.line(("Waived", STYLES[Verdict.WAIVED]), (f"  {len(waived)}", "dim"))
    for result in waived[:MAX_LISTED]:
        page.line(f"  {safe(result.id, 253)}")
        page.prose(safe(result.message, 512), indent=4, style="dim")
    if len(waived) > MAX_LISTED:
        page.line(f"  and {len(waived) - MAX_LISTED} more: -o json lists them all")


def _run(page: Page, run: Run) -> None:
    parts = [f"generation {run.generation}", f"trigger {safe(run.trigger or 'unknown', 40)}"]
    if run.attempt > 1:
        parts.append(f"attempt {run.attempt}")
    parts.append(moment(run.completion_time) if run.completion_time else f"started {moment(run.start_time)}")
    if run.duration_seconds is not None:
        parts.append(f"took {span(run.duration_seconds)}")
    page.listing([f"{safe(run.id, 40)}: {parts[0]}", *parts[1:]], label="run")
    named = run.stages.model_dump(exclude_none=True).items() if run.stages else ()
    stages = [f"{name.replace('_', ' ')} {span(value)}" for name, value in named]
    if stages:
        page.listing(stages, indent=10, style="dim")


def _history(page: Page, view: View) -> None:
    lines = view.status.history
    if len(lines) < 2:
        return
    page.gap()
    page.line(("History", "bold"))
    rows = [
        (moment(line.completion_time), line.verdict.value, span(line.duration_seconds), safe(line.trigger, 20))
        for line in lines
    ]
    when, verdict, took, trigger = columns(rows)
    for row, line in zip(rows, lines, strict=True):
        page.line(
            f"  {row[0]:{when}}  ", (f"{row[1]:{verdict}}", STYLES.get(line.verdict, "")),
            f"  {row[2]:>{took}}  {row[3]:{trigger}}",
        )  # fmt: skip
        if line.verdict is not Verdict.PASS:
            page.prose(safe(line.summary, 200), indent=when + 4, style="dim")


def moment(text: str | None) -> str:
    """A time as people write it, in UTC; text that is no time as it is."""
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return safe(text or "unknown", 40)


def span(seconds: float) -> str:
    """A duration, as short as it can be said."""
    whole = round(seconds)
    return f"{seconds:.1f} s" if seconds < 60 else f"{whole // 60} min {whole % 60:02} s"
