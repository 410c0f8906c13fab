"""The program as the kubelet runs it."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.probe.certificates import server_context
from tests.unit.probe.running import SOURCE, command, plan, running
from tests.unit.probe.servers import answering, over_tls, serving, silent
from zerotrust.contract import PLAN_FILE, Ask, Cadence, Hello, Outcome, Plan, Request, Serve, Tls, dump
from zerotrust.probe.program import read

GET = Request("GET", "/", "orders.test")
HEAVY = {"ssl", "hashlib", "h11", "asyncio", "logging", "http.client", "email", "concurrent.futures", "pathlib"}


def test_hello_comes_first_and_lines_have_no_gaps_under_concurrency(tmp_path: Path) -> None:
    with serving(answering()) as port:
        asks = [Ask(f"a{n}", "127.0.0.1", port, Cadence.ROUND, request=GET) for n in range(60)]
        with running(tmp_path, plan(asks, workers=32)) as probe:
            facts = probe.facts(240)

    assert probe.lines[0].hello == Hello("shop/checkout", 60)
    for ask in asks:
        attempts = [fact.attempt for fact in facts if fact.ask == ask.id]
        assert attempts == list(range(len(attempts)))


def test_a_certificate_is_printed_once_and_before_the_fact_that_names_it(tmp_path: Path, secret: Path) -> None:
    with serving(over_tls(server_context(secret), answering())) as port:
        asks = [Ask(f"a{n}", "127.0.0.1", port, Cadence.ROUND, tls=Tls("", "trusted"), request=GET) for n in range(8)]
        with running(tmp_path, plan(asks), secret) as probe:
            facts = probe.facts(16)

    shown = [line.number for line in probe.lines if line.shown]
    assert shown == [1, 2]  # leaf and CA, right after hello
    named = {digest for fact in facts if fact.tls for digest in fact.tls.certificates}
    assert named == {line.shown.sha256 for line in probe.lines if line.shown}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_at_once_with_success(tmp_path: Path, number: int) -> None:
    with serving(silent) as port:  # all threads wait for an answer that never comes
        asks = [Ask("a", "127.0.0.1", port, Cadence.CONTROL, 10.0, request=GET)]
        with running(tmp_path, plan(asks)) as probe:
            probe.next()
            began = time.monotonic()
            probe.process.send_signal(number)
            assert probe.process.wait(5) == 0

    assert time.monotonic() - began < 0.5


def test_it_stops_by_itself_after_its_lifetime(tmp_path: Path) -> None:
    with serving(silent) as port:
        asks = [Ask("a", "127.0.0.1", port, Cadence.CONTROL, 10.0, request=GET)]
        began = time.monotonic()
        with running(tmp_path, plan(asks, lifetime=0.3)) as probe:
            assert probe.process.wait(5) == 0

    assert 0.3 <= time.monotonic() - began < 1


def test_it_stops_when_nobody_reads(tmp_path: Path) -> None:
    with serving(silent) as port:
        asks = [Ask("a", "127.0.0.1", port, Cadence.ROUND)]
        with running(tmp_path, plan(asks)) as probe:
            probe.next()
            assert probe.process.stdout is not None
            probe.process.stdout.close()
            assert probe.process.wait(5) == 1


def test_its_own_port_lets_the_kubelet_in(tmp_path: Path) -> None:
    the_plan = plan()
    with running(tmp_path, the_plan) as probe:
        probe.next()
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", the_plan.listen), 2) as sock:
                assert sock.recv(1) == b""


def test_a_canary_serves_without_anything_to_ask_and_stops(tmp_path: Path, secret: Path) -> None:
    door = plan(serve=None)
    with running(tmp_path, plan(serve=Serve((door.listen,), "server")), secret) as canary:
        assert canary.next().hello == Hello("shop/checkout", 0)
        tls = Ask("tls", "127.0.0.1", door.listen, Cadence.ROUND, tls=Tls("", "stranger"), request=GET)
        plain = Ask("plain", "127.0.0.1", door.listen, Cadence.ROUND, request=GET)
        with running(tmp_path, plan([tls, plain])) as probe:
            facts = probe.facts(2)
        status, took = canary.stop()

    assert [fact.http.status for fact in facts if fact.http] == [200, 200]
    assert (status, took < 0.5) == (0, True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Expecting value"),
        ("[]", "not a plan"),
        ('{"version":2}', "plan version 2, this probe speaks 1"),
        ('{"version":1}', "not a plan: 'asks'"),
        ('{"version":1,"asks":[{}]}', "not a plan"),
        ('{"version":1,"asks":[]}', "not a plan"),
    ],
)
def test_what_is_not_a_plan_is_an_error(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / PLAN_FILE).write_text(text)

    with pytest.raises(ValueError, match=complaint):
        read(str(tmp_path))


@pytest.mark.parametrize(("text", "complaint"), [(None, "plan.json"), ("[]", "not a plan")])
def test_an_error_of_the_plan_is_one_clear_line(tmp_path: Path, text: str | None, complaint: str) -> None:
    if text is not None:
        (tmp_path / PLAN_FILE).write_text(text)
    done = subprocess.run(command(tmp_path), capture_output=True, text=True, timeout=5, check=False)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("zerotrust probe: ")
    assert complaint in done.stderr


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (tmp_path / PLAN_FILE).write_text(dump(Plan("run-1", "here", (), 5, taken.getsockname()[1])))
        done = subprocess.run(command(tmp_path), capture_output=True, text=True, timeout=5, check=False)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_credential_that_is_not_there_is_an_error_of_the_plan(tmp_path: Path) -> None:
    ask = Ask("a", "127.0.0.1", 1, Cadence.ROUND, tls=Tls("", "absent"))
    (tmp_path / PLAN_FILE).write_text(dump(plan([ask])))

    with pytest.raises(ValueError, match="credentials missing: absent"):
        read(str(tmp_path))


def test_two_asks_with_one_id_are_an_error_of_the_plan(tmp_path: Path) -> None:
    ask = Ask("a", "127.0.0.1", 1, Cadence.ROUND)
    (tmp_path / PLAN_FILE).write_text(dump(plan([ask, ask])))

    with pytest.raises(ValueError, match="same id"):
        read(str(tmp_path))


def test_a_plan_of_connections_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / PLAN_FILE).write_text(dump(plan([Ask("a", "127.0.0.1", 1, Cadence.ROUND)], lifetime=0.2)))
    program = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from zerotrust.probe.program import main; main"
    # Without site packages, which may load modules of their own.
    options = ["-I", "-S", "-X", "importtime", "-c", f"{program}([{str(tmp_path)!r}])"]
    probe = subprocess.run([sys.executable, *options], capture_output=True, text=True, timeout=5, check=True)

    assert Outcome.REFUSED in probe.stdout
    loaded = {line.rpartition("|")[2].strip() for line in probe.stderr.splitlines()}
    assert "zerotrust.probe.rounds" in loaded
    assert not loaded & HEAVY


def test_its_memory_stays_small_whatever_servers_send(tmp_path: Path) -> None:
    def flood(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(b"x" * 65_536)

    with serving(flood) as port:
        asks = [Ask(f"a{n}", "127.0.0.1", port, Cadence.ROUND, request=GET) for n in range(40)]
        with running(tmp_path, plan(asks)) as probe:
            probe.facts(200)
            status = Path(f"/proc/{probe.process.pid}/status").read_text()

    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 40_000, "KiB"
