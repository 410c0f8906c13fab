"""Dialects: the files are read, and what an author declares is either one answer or an error."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.support import alert, status
from zerotrust.contract import Fact, HttpSeen, Outcome
from zerotrust.layers.dialects import Answer, Refusals, known, spoken

NGINX = "<html>\r\n<head><title>400 The SSL certificate error</title></head>"


def test_every_file_is_a_dialect_and_says_where_it_comes_from() -> None:
    assert {"nginx", "grpc"} <= set(known())
    for name, dialect in known().items():
        assert dialect.source, name
        assert list(dialect.refusals.all()), name


@pytest.mark.parametrize(
    ("answer", "fact", "says"),
    [
        ({"status": 400, "body": "The SSL certificate error"}, status(400, body=NGINX), True),
        ({"status": 400, "body": "The SSL certificate error"}, status(400, body="Bad Request"), False),
        ({"status": 400, "body": "The SSL certificate error"}, status(403, body=NGINX), False),
        ({"alert": "handshake_failure"}, alert("handshake_failure"), True),
        ({"alert": "handshake_failure"}, alert("handshake_failure", asked=False), False),
        ({"alert": "handshake_failure"}, alert("unknown_ca"), False),
        ({"status": 418}, status(418), True),
        ({"status": 418}, alert("unknown_ca"), False),
    ],
)
def test_an_answer_is_recognised_whole_or_not_at_all(answer: dict[str, Any], fact: Fact, says: bool) -> None:
    assert Answer.model_validate(answer).says(fact) is says


def test_a_header_is_compared_by_name_without_case_and_by_exact_value() -> None:
    answer = Answer.model_validate({"status": 200, "header": {"name": "Grpc-Status", "value": "16"}})

    def shown(value: str) -> Fact:
        return Fact("a", 0, 0.0, 0.1, Outcome.OPEN, http=HttpSeen(200, (("grpc-status", value),)))

    assert answer.says(shown("16"))
    assert not answer.says(shown("0"))
    assert not answer.says(shown("160"))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({}, "either alert or status"),
        ({"alert": "unknown_ca", "status": 400}, "either alert or status"),
        ({"alert": "unknown_ca", "body": "denied"}, "neither header nor body"),
        ({"status": 200}, "add the header or body"),
        ({"status": 204}, "add the header or body"),
        ({"status": 101}, "greater than or equal to 200"),
        ({"status": 400, "body": "no"}, "at least 3"),
        ({"status": 400, "header": {"name": "a b", "value": ""}}, "pattern"),
    ],
)
def test_an_answer_that_contradicts_itself_is_none(answer: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Refusals.model_validate({"http": [answer]})


def test_no_known_dialect_takes_a_plain_success_or_a_plain_error_for_a_refusal() -> None:
    for layer in ("mtls", "jwt", "http"):
        for answer in spoken(layer):
            for plain in (status(200, body="hello"), status(400, body="Bad Request"), status(500), status(502)):
                assert not answer.says(plain)
