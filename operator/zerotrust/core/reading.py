"""One fact, read as one word: where the attempt ended and how. Verdicts compare words, never prose."""

from __future__ import annotations

from zerotrust.contract import Ask, Fact, Outcome


def reading(ask: Ask, fact: Fact) -> str:
    """``network:<outcome>``, ``tls:<alert or ending>`` or ``http:<status or ending>``.

    An alert counts as one about the client's certificate only when the server had asked for it; otherwise the
    word starts with ``handshake:``, which no refusal of an identity does.
    """
    if fact.outcome is not Outcome.OPEN:
        return f"network:{fact.outcome}"
    if ask.tls is not None:
        if fact.tls is None:
            return "network:Failed"
        if fact.tls.alert:
            return f"{'tls' if fact.tls.asked else 'handshake'}:{fact.tls.alert}"
        if not fact.tls.finished:
            return f"handshake:{fact.tls.ended or 'failed'}"
    if ask.request is not None:
        if fact.http is None:
            return f"tls:{fact.tls.ended or 'silent'}" if fact.tls else "network:Failed"
        if fact.http.tls:
            return "http:tls"
        return f"http:{fact.http.status or fact.http.ended or 'silent'}"
    if fact.tls is not None:
        return f"tls:{fact.tls.ended or fact.tls.accepted or 'silent'}"
    return "network:Open"


def describe(ask: Ask, fact: Fact) -> str:
    """What was seen, in one bounded, printable line for a person."""
    word = reading(ask, fact)
    stage, _, rest = word.partition(":")
    what = printable(rest, 60)
    text = {
        "network": f"connection {what}",
        "tls": f"TLS {what}",
        "handshake": f"TLS {what} before a certificate was asked for",
        "http": f"HTTP {what}",
    }[stage]
    if fact.http and fact.http.status and fact.http.body:
        text += f" {printable(fact.http.body, 80)!r}"
    if fact.error:
        text += f" ({printable(fact.error, 80)})"
    return text[:256]


def printable(text: str, limit: int) -> str:
    """Text from the other side, without anything a terminal or a page would obey."""
    shown = "".join(char if char.isprintable() and char not in "<>&`" else "." for char in text[: limit * 2])
    return shown[:limit]
