"""The operator's own settings: taken from its environment, or refused in one sentence."""

from __future__ import annotations

import pytest

from zerotrust import __version__
from zerotrust.handlers.settings import BadSetting, from_environment, listen_port

DNS = '[{"namespaceSelector": {}}]'


def test_nothing_needs_to_be_set() -> None:
    found = from_environment({})

    assert found.probe_image.endswith(f":{__version__}")
    assert (found.namespace, found.account, found.max_running) == ("zerotrust-system", "zerotrust-operator", 10)
    assert found.dns_peers == ()
    assert listen_port({}) == 8080


def test_everything_can_be_set() -> None:
    found = from_environment(
        {
            "ZT_PROBE_IMAGE": "registry.example/probe:2",
            "ZT_OPERATOR_NAMESPACE": "sys",
            "ZT_SERVICE_ACCOUNT": "acc",
            "ZT_SANDBOX_ROLE": "role",
            "ZT_MAX_RUNNING": "3",
            "ZT_DNS_PEERS": DNS,
        }
    )

    assert (found.probe_image, found.namespace, found.account) == ("registry.example/probe:2", "sys", "acc")
    assert (found.sandbox_role, found.max_running, found.dns_peers) == ("role", 3, ({"namespaceSelector": {}},))
    assert listen_port({"ZT_LISTEN_PORT": "9000"}) == 9000


def test_an_empty_setting_is_none() -> None:
    assert from_environment({"ZT_MAX_RUNNING": "", "ZT_DNS_PEERS": ""}) == from_environment({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZT_MAX_RUNNING", "many"),
        ("ZT_MAX_RUNNING", "0"),
        ("ZT_MAX_RUNNING", "201"),
        ("ZT_MAX_RUNNING", "-1"),
        ("ZT_MAX_RUNNING", "1.5"),
        ("ZT_MAX_RUNNING", "²"),
        ("ZT_MAX_RUNNING", "9" * 5000),
        ("ZT_DNS_PEERS", "{"),
        ("ZT_DNS_PEERS", "{}"),
        ("ZT_DNS_PEERS", "5"),
        ("ZT_DNS_PEERS", "[5]"),
    ],
)
def test_a_setting_that_cannot_be_used_ends_the_operator_with_one_sentence(
    name: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadSetting) as told:
        from_environment({name: value})

    assert told.value.code == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"zerotrust-operator: {name} is ")
    assert len(line) < 200


@pytest.mark.parametrize("value", ["0", "65536", "http"])
def test_a_port_that_is_none_ends_the_operator(value: str) -> None:
    with pytest.raises(BadSetting):
        listen_port({"ZT_LISTEN_PORT": value})
