"""One run's authority and issuer for all of these tests, at a moment of their own."""

from datetime import UTC, datetime, timedelta

import pytest

from zerotrust.trust.authority import Authority
from zerotrust.trust.identity import Identity
from zerotrust.trust.issuer import Issuer


@pytest.fixture(scope="session")
def now() -> datetime:
    # The real time, because OpenSSL knows no other; with a fraction of a second, because real times have one.
    return datetime.now(UTC).replace(microsecond=987_654)


@pytest.fixture(scope="session")
def authority(now: datetime) -> Authority:
    return Authority.create("shop.test", now=now, lifetime=timedelta(hours=1))


@pytest.fixture(scope="session")
def issuer(now: datetime) -> Issuer:
    return Issuer.create("https://issuer.shop.test", now=now)


@pytest.fixture(scope="session")
def checkout() -> Identity:
    return Identity("checkout", "shop", "shop.test", ("checkout",), {"scope": "orders.write"})


@pytest.fixture(scope="session")
def orders() -> Identity:
    return Identity("orders", "shop", "shop.test", ("orders", "orders.shop.svc"))
