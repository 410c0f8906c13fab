"""The judge: from what was seen to a verdict. A refusal is proven, never assumed.

Nothing here knows a case by its id; a case says what it expects and the judge compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zerotrust.api.status import Verdict
from zerotrust.contract import Ask, Fact, Outcome, got_in
from zerotrust.core.evidence import Evidence
from zerotrust.core.plan import Program
from zerotrust.core.reading import describe, reading
from zerotrust.layers.base import Admitted, Approach, Case, Presents, Refused, Trial
from zerotrust.layers.mtls import REFUSALS as TLS_REFUSALS

PATIENCE = 12.0
"""Seconds that whatever is not yet proven may still take once all probes are at work: plugins are eventual."""
ATTEMPTS = 3
"""Attempts that an unproven case gets within that time, however long a busy machine takes for them."""
KNOCKS = 3
"""Attempts at a bare connection that must end alike while the control holds: each is a SYN that might be lost."""
SETTLING = 5.0
"""Seconds in which a network policy of a fresh sandbox may still be on its way."""
SILENCES = frozenset({"network:TimedOut", "network:Prohibited"})
LOCKOUTS = TLS_REFUSALS | SILENCES
SILENT = frozenset({"network:TimedOut", "handshake:timed-out", "tls:timed-out", "http:timed-out"})
SEVERITY = (
    Verdict.BREACH,
    Verdict.LOCKOUT,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.PASS,
    Verdict.SKIPPED,
)

ServerCheck = Callable[[str, bytes, tuple[bytes, ...]], frozenset[str]]
"""(identity, leaf, chain) → what is wrong with a server's certificate; empty when it proves to be the identity."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came out for one case so far; ``settled``: more evidence will not change it."""

    case: Case
    verdict: Verdict
    reason: str
    message: str = ""
    tried: str = ""
    seen: str = ""
    milliseconds: float | None = None
    settled: bool = True


@dataclass(frozen=True, slots=True)
class _Finding:
    verdict: Verdict
    reason: str
    message: str = ""
    seen: str = ""
    fact: Fact | None = None
    settled: bool = True


@dataclass(frozen=True)
class Judge:
    """Judges every case of a run by one body of evidence.

    ``waited``: seconds since all probes are at work, infinite when the run's time is up.
    """

    program: Program
    evidence: Evidence
    check_server: ServerCheck
    patience: float = PATIENCE

    def judge(self, case: Case, waited: float) -> Judgement:
        """The verdict on a case: that of its worst trial."""
        if case.skipped:
            return Judgement(case, Verdict.SKIPPED, "NotApplicable", case.skipped)
        if not case.trials:
            hint = "nobody is trusted here and there is nothing to try it with: allow one identity"
            return Judgement(case, Verdict.INCONCLUSIVE, "NoControl", hint)
        found = [
            (trial, label, finding) for trial in case.trials for label, finding in self._trial(case, trial, waited)
        ]
        trial, label, worst = min(found, key=lambda item: SEVERITY.index(item[2].verdict))
        proven = worst.verdict is Verdict.BREACH and worst.settled
        what = " ".join(part for part in (trial.label, label) if part)
        return Judgement(
            case=case,
            verdict=worst.verdict,
            reason=worst.reason,
            message=f"{what}: {worst.message}" if what and worst.message else worst.message,
            tried=_tried(trial, what),
            seen=worst.seen,
            milliseconds=round((worst.fact.ended - worst.fact.started) * 1000, 1) if worst.fact else None,
            settled=proven or all(finding.settled for _, _, finding in found),
        )

    def _trial(self, case: Case, trial: Trial, waited: float) -> list[tuple[str, _Finding]]:
        findings = []
        for ask_id, label in self.program.of[case.boundary, trial.approach]:
            ask, facts = self.program.asks[ask_id], self.evidence.facts.get(ask_id, [])
            findings.append((label, self._expect(case, trial, ask, facts, waited)))
        return findings

    def _expect(self, case: Case, trial: Trial, ask: Ask, facts: list[Fact], waited: float) -> _Finding:
        match case.expects:
            case Admitted():
                return self._admitted(case, trial, ask, facts, waited)
            case Presents(identity):
                return self._presents(identity, ask, facts, waited)
            case Refused() as refused:
                return self._refused(case, refused, trial, ask, facts, waited)

    def _admitted(self, case: Case, trial: Trial, ask: Ask, facts: list[Fact], waited: float) -> _Finding:
        if not facts:
            return _missing(waited)
        last = facts[-1]
        word, seen = reading(ask, last), describe(ask, last)
        if _entered(case, ask, last):
            return _Finding(Verdict.PASS, "Admitted", "got in", seen, last)
        if last.outcome is Outcome.FAILED:
            return _Finding(Verdict.ERROR, "ProbeFailed", f"the probe could not try: {seen}", seen, last)
        final = self._is_final(facts, waited)
        if word in SILENCES and trial.approach.place not in self.evidence.wired:
            return _dead(trial, final)
        if (word in LOCKOUTS or case.says_no(last)) and self.evidence.alive.get(case.boundary, False):
            text = f"a trusted identity was refused: {seen}"
            return _Finding(Verdict.LOCKOUT, "Refused", text, seen, last, settled=final)
        text = f"a trusted identity did not get in, but nothing refused it: {seen}"
        return _Finding(Verdict.INCONCLUSIVE, "ControlFailed", text, seen, last, settled=final)

    def _presents(self, identity: str, ask: Ask, facts: list[Fact], waited: float) -> _Finding:
        shown = next((f for f in reversed(facts) if f.tls and f.tls.certificates), None)
        if shown is None or shown.tls is None:
            text = "the server showed no certificate"
            return _Finding(Verdict.INCONCLUSIVE, "NoCertificate", text, settled=self._is_final(facts, waited))
        known = [self.evidence.shown.get(sha256) for sha256 in shown.tls.certificates]
        leaf, chain = known[0], tuple(der for der in known[1:] if der)
        if leaf is None:
            return _Finding(Verdict.ERROR, "FactsMissing", "the server's certificate was not reported", fact=shown)
        wrong = self.check_server(identity, leaf, chain)
        if wrong:
            text = f"the server does not prove to be {identity}: {', '.join(sorted(wrong))}"
            return _Finding(Verdict.BREACH, "WrongServer", text, ", ".join(sorted(wrong)), shown)
        return _Finding(Verdict.PASS, "Proven", f"the server proved to be {identity}", "certificate as declared", shown)

    def _refused(
        self, case: Case, expects: Refused, trial: Trial, ask: Ask, facts: list[Fact], waited: float
    ) -> _Finding:
        entered = [f for f in facts if _entered(case, ask, f) or reading(ask, f) in expects.passed]
        if entered and not _enforced_late(ask, facts, entered, expects):
            return self._breach(ask, facts, entered, waited)
        if any(fact.outcome is Outcome.FAILED for fact in facts[-1:]):
            seen = describe(ask, facts[-1])
            return _Finding(Verdict.ERROR, "ProbeFailed", f"the probe could not try: {seen}", seen, facts[-1])
        final = self._is_final(facts, waited)
        if any(fact.tls and fact.tls.withheld for fact in facts[-1:]):
            text = "the probe's own TLS library did not present the certificate, so nothing was tried"
            return _Finding(Verdict.ERROR, "NotPresented", text, describe(ask, facts[-1]), facts[-1])
        held = [fact for fact in facts if self._held(case, trial, fact)]
        if trial.approach.place not in self.evidence.wired:
            return _dead(trial, final)
        if not held:
            return self._without_control(case, trial, ask, facts, waited)
        told = [fact for fact in held if not _is_silent(ask, fact)]
        if not told:
            text = f"no answer, while the control held: {describe(ask, held[-1])}"
            settled = final and (len(held) >= 2 * ATTEMPTS or waited == float("inf"))
            return _Finding(Verdict.INCONCLUSIVE, "NoAnswer", text, describe(ask, held[-1]), held[-1], settled=settled)
        # What came after the last proof must not speak against it, though no control brackets it yet.
        later = facts[facts.index(told[-1]) :]
        against = [f for f in later if not _fits(case, expects, ask, f) and not _is_silent(ask, f)]
        last = against[-1] if against else told[-1]
        seen = describe(ask, last)
        if not against and not _speaks(ask) and len(told) < KNOCKS:
            text = f"only {len(told)} of {KNOCKS} attempts while the control held: {seen}"
            return _Finding(Verdict.INCONCLUSIVE, "TooFew", text, seen, last, settled=waited == float("inf"))
        if not against:
            return _Finding(Verdict.PASS, "Refused", "refused, and the control held", seen, last)
        text = f"not refused for a reason that fits: {seen}; due was {_due(expects)}"
        return _Finding(Verdict.INCONCLUSIVE, "WrongReason", text, seen, last, settled=final)

    def _breach(self, ask: Ask, facts: list[Fact], entered: list[Fact], waited: float) -> _Finding:
        last = entered[-1]
        seen = describe(ask, last)
        # Only the network is eventual: a policy of a fresh sandbox may be on its way. A server's yes is a yes.
        lasted = last.started - facts[0].started >= SETTLING and len(entered) > 1
        settled = _speaks(ask) or lasted or self._is_final(facts, waited)
        return _Finding(Verdict.BREACH, "GotIn", f"an untrusted attempt got in: {seen}", seen, last, settled)

    def _without_control(self, case: Case, trial: Trial, ask: Ask, facts: list[Fact], waited: float) -> _Finding:
        if not facts:
            return _missing(waited)
        final = self._is_final(facts, waited)
        seen = describe(ask, facts[-1])
        if trial.control is None:
            text = (
                "nobody may pass here and no readiness probe on this port shows that it is served: "
                f"add a readinessProbe on port {ask.port} or allow one identity"
            )
            return _Finding(Verdict.INCONCLUSIVE, "NoControl", text, seen, facts[-1], settled=final)
        text = f"refused ({seen}), but the trusted control did not get in before and after"
        comes_and_goes, dead = self._control_lately(case, trial)
        hopeless = (final and not comes_and_goes) or (dead and waited >= self.patience)
        return _Finding(Verdict.INCONCLUSIVE, "ControlFailed", text, seen, facts[-1], settled=hopeless)

    def _control_lately(self, case: Case, trial: Trial) -> tuple[bool, bool]:
        """Whether the control got in lately, and whether it had its chances and never did.

        On a busy machine a control that comes and goes may hold with a little time; behind one that is dead,
        probes try nothing twice.
        """
        begun = self.evidence.begun
        if trial.control is None or begun is None:
            return False, False
        ids = [ask_id for ask_id, _ in self.program.of[case.boundary, trial.control]]
        lately = [(self.program.asks[i], fact) for i in ids for fact in self.evidence.facts.get(i, [])[-10:]]
        chances = sum(fact.started >= begun for _, fact in lately)
        got = any(_entered(case, ask, fact) for ask, fact in lately)
        return got, chances >= ATTEMPTS and not got

    def _is_final(self, facts: list[Fact], waited: float) -> bool:
        """Whether the case had its chances: time, and attempts made in it. A slow machine takes longer for them."""
        if waited == float("inf"):
            return True
        begun = self.evidence.begun
        made = sum(begun is not None and fact.started >= begun for fact in facts)
        return waited >= self.patience and made >= ATTEMPTS

    def _held(self, case: Case, trial: Trial, fact: Fact) -> bool:
        """Whether the same door let the trusted in right before and right after this attempt."""
        if trial.control is None:
            spans = self.evidence.ready.get(case.boundary, [])
            return any(span.start <= fact.started and fact.ended <= span.end for span in spans)
        return any(self._bracketed(case, ask_id, fact) for ask_id, _ in self.program.of[case.boundary, trial.control])

    def _bracketed(self, case: Case, control_id: str, fact: Fact) -> bool:
        ask, facts = self.program.asks[control_id], self.evidence.facts.get(control_id, [])
        before = max((c for c in facts if c.ended <= fact.started), key=lambda c: c.ended, default=None)
        after = min((c for c in facts if c.started >= fact.ended), key=lambda c: c.started, default=None)
        return all(control is not None and _entered(case, ask, control) for control in (before, after))


def _entered(case: Case, ask: Ask, fact: Fact) -> bool:
    """Whether an attempt got in: it succeeded, and nothing in the answer says no after all."""
    return got_in(ask, fact) and not case.says_no(fact)


def _fits(case: Case, expects: Refused, ask: Ask, fact: Fact) -> bool:
    """Whether a refusal came for a reason of this case, by the standards or in the server's own words."""
    return reading(ask, fact) in expects.reasons or case.says_no(fact)


def _enforced_late(ask: Ask, facts: list[Fact], entered: list[Fact], expects: Refused) -> bool:
    """Whether a network policy closed within the time that a fresh sandbox's policies may take, and stayed closed."""
    if _speaks(ask):
        return False
    late = entered[-1].ended - facts[0].started < SETTLING
    after = facts[facts.index(entered[-1]) + 1 :]
    return late and len(after) > 1 and all(reading(ask, fact) in expects.reasons for fact in after)


def _missing(waited: float) -> _Finding:
    text = "the probe reported nothing for this case"
    return _Finding(Verdict.ERROR, "FactsMissing", text, settled=waited == float("inf"))


def _speaks(ask: Ask) -> bool:
    """Whether more than a bare connection was tried, so that a server, not only the network, has to answer."""
    return ask.tls is not None or ask.request is not None


def _is_silent(ask: Ask, fact: Fact) -> bool:
    """Whether a server that had something to say said nothing in time: that is no answer, for or against."""
    return _speaks(ask) and reading(ask, fact) in SILENT


def _dead(trial: Trial, final: bool) -> _Finding:
    text = f"the probe at {trial.approach.place} was not reached by the kubelet: its own network may be dead"
    return _Finding(Verdict.INCONCLUSIVE, "SourceDead", text, settled=final)


def _due(expects: Refused) -> str:
    return ", ".join(sorted(reason.partition(":")[2] for reason in expects.reasons))


def _tried(trial: Trial, what: str) -> str:
    control: Approach | None = trial.control
    changed = trial.approach.difference(control) if control else ""
    return (changed or what)[:256]


def is_due(judgement: Judgement, twin: str) -> bool:
    """Whether a case of the canary came out as a known hole must: found, and its twin found closed."""
    trusted = isinstance(judgement.case.expects, Admitted)
    return judgement.verdict is (Verdict.PASS if trusted or judgement.case.id == twin else Verdict.BREACH)
