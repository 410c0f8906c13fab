"""Lines keep to the contract whatever is in them."""

import json
import os
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from zerotrust.contract import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_LINE_BYTES,
    Fact,
    Hello,
    HttpSeen,
    Line,
    Outcome,
)
from zerotrust.probe.output import MAX_CERTIFICATE_BYTES, MAX_SHOWN, Writer

_LINE = TypeAdapter(Line)
FACT = Fact("a", 0, 1.0, 2.0, Outcome.OPEN)


class Output:
    def __init__(self, file: Path, descriptor: int) -> None:
        self.file = file
        self.writer = Writer("run", descriptor)

    def lines(self) -> list[Line]:
        raw = self.file.read_bytes().splitlines(keepends=True)
        assert all(len(line) <= MAX_LINE_BYTES for line in raw)
        return [_LINE.validate_json(line) for line in raw]


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Output]:
    file = tmp_path / "out"
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY)
    yield Output(file, descriptor)
    os.close(descriptor)


def test_the_worst_answer_that_is_kept_fits_a_line(output: Output) -> None:
    worst = "\xff" * MAX_HEADER_BYTES
    http = HttpSeen(200, ((worst, worst),) * MAX_HEADERS, "\xff" * MAX_BODY_BYTES)
    fact = Fact("a" * 300, 0, 1.0, 2.0, Outcome.OPEN, http=http, error="\xff" * 200)
    output.writer.fact(fact)

    kept = output.lines()[0].fact
    assert kept is not None
    assert kept.http is not None
    assert kept.http.body == http.body
    assert 1 <= len(kept.http.headers) < MAX_HEADERS


def test_an_ordinary_answer_is_kept_whole(output: Output) -> None:
    http = HttpSeen(200, (("a", "v" * MAX_HEADER_BYTES),) * MAX_HEADERS, "b" * MAX_BODY_BYTES)
    fact = Fact("a", 0, 1.0, 2.0, Outcome.OPEN, http=http)
    output.writer.fact(fact)

    assert output.lines()[0].fact == fact


def test_terminal_sequences_and_line_ends_do_not_leave_their_line(output: Output) -> None:
    http = HttpSeen(200, (("x", "\x1b[2J\u2028\r\n"),), '\n{"run":"run","number":0}\n\x85\x00')
    output.writer.fact(Fact("a", 0, 1.0, 2.0, Outcome.OPEN, http=http))

    text = output.file.read_text()
    assert text.isascii()
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert json.loads(text)["fact"]["http"]["body"] == http.body


def test_a_certificate_is_shown_once(output: Output) -> None:
    output.writer.hello(Hello("here", 1))
    output.writer.fact(FACT, {"1": b"leaf", "2": b"ca"})
    output.writer.fact(FACT, {"1": b"leaf", "3": b"other"})

    shown = [(line.number, b64decode(line.shown.der)) for line in output.lines() if line.shown]
    assert shown == [(1, b"leaf"), (2, b"ca"), (4, b"other")]
    assert [line.number for line in output.lines() if line.fact] == [3, 5]


def test_a_certificate_too_large_for_a_line_is_only_named(output: Output) -> None:
    largest = bytes(MAX_CERTIFICATE_BYTES)
    output.writer.fact(FACT, {"a": largest, "b": largest + b"x"})

    assert [line.shown.sha256 for line in output.lines() if line.shown] == ["a"]


def test_a_server_with_ever_new_certificates_is_not_shown_for_ever(output: Output) -> None:
    output.writer.fact(FACT, {f"{number}": b"der" for number in range(MAX_SHOWN + 50)})

    assert sum(line.shown is not None for line in output.lines()) == MAX_SHOWN
