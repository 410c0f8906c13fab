"""A Secret's directory with credentials good and bad, and a way to try one ask."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.unit.probe.certificates import Authority
from zerotrust.contract import Ask, Cadence, Fact, Plan, Request, Tls
from zerotrust.probe.attempt import Attempts
from zerotrust.probe.output import Writer


@pytest.fixture(scope="session")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("secret")
    good, other = Authority(directory, "good"), Authority(directory, "other")
    good.issue("server", ExtendedKeyUsageOID.SERVER_AUTH, chain=True)
    good.issue("large", ExtendedKeyUsageOID.SERVER_AUTH, padding=9000)
    good.issue("trusted")
    good.issue("expired", ends_in=timedelta(hours=-1))
    good.issue("wrong-usage", ExtendedKeyUsageOID.SERVER_AUTH)
    good.issue("odd", curve=ec.SECP256K1())
    good.issue("neighbour")
    other.issue("stranger")
    return directory


@pytest.fixture
def silenced() -> Iterator[Writer]:
    """A writer nobody reads."""
    with Path(os.devnull).open("wb") as nowhere:
        yield Writer("run", nowhere.fileno())


Try = Callable[..., Fact]


@pytest.fixture
def try_ask(secret: Path, silenced: Writer) -> Try:
    """Try one ask on loopback and return its fact."""

    def attempt(
        port: int,
        tls: Tls | None = None,
        request: Request | None = None,
        timeout: float = 1.5,
        address: str = "127.0.0.1",
    ) -> Fact:
        ask = Ask("a", address, port, Cadence.ROUND, timeout, tls, request)
        return Attempts(Plan("run", "here", (ask,), 60, 0), str(secret), silenced).attempt(ask)

    return attempt
