"""The one clock of a probe, so that what happened before something else also has the smaller time."""

import time

_EPOCH = time.time() - time.monotonic()


def now() -> float:
    """Unix seconds which never run backwards, whatever happens to the node's clock meanwhile."""
    return _EPOCH + time.monotonic()
