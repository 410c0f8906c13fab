"""How the operator was installed, from its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping

from zerotrust import __version__
from zerotrust.runs.ports import Settings


class BadSetting(SystemExit):
    """A setting that cannot be used: one sentence, exit code 2."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(2)
        print(f"zerotrust-operator: {name} {problem}", flush=True)


def from_environment(env: Mapping[str, str]) -> Settings:
    """Settings as the chart passes them. Errors: BadSetting."""
    try:
        peers = json.loads(env.get("ZT_DNS_PEERS") or "[]")
    except ValueError:
        raise BadSetting("ZT_DNS_PEERS", "is not JSON: give a list of NetworkPolicy peers") from None
    if not isinstance(peers, list) or not all(isinstance(peer, dict) for peer in peers):
        raise BadSetting("ZT_DNS_PEERS", "is not a list of NetworkPolicy peers")
    return Settings(
        probe_image=env.get("ZT_PROBE_IMAGE") or f"zerotrust.local/zerotrust-probe:{__version__}",
        namespace=env.get("ZT_OPERATOR_NAMESPACE") or "zerotrust-system",
        account=env.get("ZT_SERVICE_ACCOUNT") or "zerotrust-operator",
        sandbox_role=env.get("ZT_SANDBOX_ROLE", ""),
        max_running=_number(env, "ZT_MAX_RUNNING", 10, 1, 200),
        dns_peers=tuple(peers),
    )


def listen_port(env: Mapping[str, str]) -> int:
    """Where health and metrics are served."""
    return _number(env, "ZT_LISTEN_PORT", 8080, 1, 65535)


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 9) or not low <= int(text) <= high:
        raise BadSetting(name, f"is {text[:40]!r}: give a number from {low} to {high}")
    return int(text)
