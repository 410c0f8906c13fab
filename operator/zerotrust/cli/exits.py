"""Exit codes, which pipelines rely on, and the one exception that ends a command with a sentence."""

from __future__ import annotations

from enum import IntEnum

from zerotrust.api.status import Verdict


class Exit(IntEnum):
    """How a command ended."""

    PASS = 0
    FAIL = 1
    ERROR = 2
    INCONCLUSIVE = 3
    NOT_ALLOWED = 4
    """Invalid, not found, suspended or not allowed: somebody must act before it can be tried."""
    TIMEOUT = 124
    INTERRUPTED = 130


OF_VERDICT = {
    Verdict.PASS: Exit.PASS,
    Verdict.FAIL: Exit.FAIL,
    Verdict.ERROR: Exit.ERROR,
    Verdict.INCONCLUSIVE: Exit.INCONCLUSIVE,
}


class Stop(Exception):
    """The command cannot go on: why, in one sentence for a person, and with which exit code."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence
