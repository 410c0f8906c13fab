"""The three kinds of error: wait (try again later), reject (the author must act); everything else is a bug."""

from __future__ import annotations


class ZeroTrustError(Exception):
    """Base of the product's own errors: a reason from ``api.reasons`` and a message for a person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class Reject(ZeroTrustError):
    """The author must change something; trying again cannot help."""


class Wait(ZeroTrustError):
    """Not now: the world may be different in ``after`` seconds."""

    def __init__(self, reason: str, message: str, after: float = 1.0) -> None:
        super().__init__(reason, message)
        self.after = after


class Broken(ZeroTrustError):
    """The run cannot be finished: the tool, the workloads or the cluster failed. Its verdict is Error."""


class ApiRefused(ZeroTrustError):
    """The API server said no for good: its HTTP status, its reason and its words."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.status = status
