"""``explain``: every case of a file's tests, ids whole, and one clear message for what is invalid."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from tests.unit.cli import samples
from tests.unit.cli.conftest import Shell
from zerotrust.core.plan import cases
from zerotrust.core.test import parse

GATEWAY = samples.ROOT / "tests" / "systems" / "gateway" / "test.yaml"
KIND = "kind: ZeroTrustTest\napiVersion: zerotrust.dev/"
IDS = [case.id for case in cases(parse(samples.resource()))]


def _changed(**spec: object) -> str:
    item = copy.deepcopy(samples.MANIFEST)
    item["spec"] |= spec
    return yaml.safe_dump(item)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_every_case_is_listed_with_its_whole_id_at_any_width(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    ended = shell("explain", str(GATEWAY))
    assert ended.code == 0
    words = ended.out.split()
    assert [word for word in words if word in IDS] == IDS
    assert width < 80 or all(
        len(line) <= width for line in ended.out.splitlines() if not any(id_ in line for id_ in IDS)
    )


def test_counts_come_by_layer(shell: Shell) -> None:
    last = shell("explain", str(GATEWAY)).out.splitlines()[-1]
    assert last.startswith(f"{len(IDS)} cases by layer: network 6, mtls ")


def test_wide_adds_every_way_and_what_to_do(shell: Shell) -> None:
    out = " ".join(shell("explain", str(GATEWAY), "--wide").out.split())
    assert "POST /zerotrust/../orders" in out
    assert "remedy" in out
    assert "RFC 8725 section 3.1" in out


def test_json_lists_the_same_cases(shell: Shell) -> None:
    document = json.loads(shell("explain", str(GATEWAY), "-o", "json").out)
    (test,) = document["tests"]
    assert [case["id"] for case in test["cases"]] == IDS
    assert test["total"] == len(IDS) == sum(test["layers"].values())
    refused = next(case for case in test["cases"] if case["id"] == "orders/mtls/no-certificate/checkout")
    assert refused["mustBe"] == "refused"
    assert refused["tried"] == ["certificate: none"]
    assert refused["remedy"]


def test_a_file_may_hold_several_documents_and_other_kinds_and_come_from_standard_input(shell: Shell) -> None:
    second = copy.deepcopy(samples.MANIFEST)
    second["metadata"]["name"] = "second"
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}
    listed = {"apiVersion": "v1", "kind": "List", "items": [second]}
    ended = shell("explain", "-", stdin=yaml.safe_dump_all([service, samples.MANIFEST, None, listed]))
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines() if " let in, " in line] == ["shop", "second"]


def test_a_day_without_quotes_is_text_as_it_is_for_kubectl(shell: Shell) -> None:
    waiver = "\n  waivers:\n    - {case: orders/mtls/plaintext/*, until: 2999-12-31, reason: planned}\n"
    ended = shell("explain", "-", stdin=GATEWAY.read_text() + waiver.lstrip("\n"))
    assert ended.code == 0, ended.err
    assert "until 2999-12-31: covers 2 cases; planned" in ended.out


def test_waivers_that_count_for_nothing_are_named(shell: Shell) -> None:
    waivers = [
        {"case": "orders/mtls/plaintext/*", "until": "2020-01-01", "reason": "old"},
        {"case": "order/mtls/*", "until": "2999-01-01", "reason": "typo"},
    ]
    out = shell("explain", "-", stdin=_changed(waivers=waivers)).out
    assert "until 2020-01-01: expired; old" in out
    assert "until 2999-01-01: matches no case; typo" in out


@pytest.mark.parametrize(
    ("text", "due"),
    [
        pytest.param("a: [1", "is not YAML", id="not YAML"),
        pytest.param("kind: Service\n", "holds no ZeroTrustTest", id="no test"),
        pytest.param("", "holds no ZeroTrustTest", id="empty"),
        pytest.param("- 1\n- 2\n", "holds no ZeroTrustTest", id="a list"),
        pytest.param(KIND + "v9\n", "apiVersion is zerotrust.dev/v9", id="version"),
        pytest.param(KIND + "v1alpha1\nmetadata: 3\n", "spec is missing", id="spec"),
        pytest.param(_changed(identities=[]), "spec.identities", id="schema"),
        pytest.param(_changed(identities=[{"name": "a", "zone": "nowhere"}]), "zone nowhere", id="contradiction"),
        pytest.param("[" * 5000, "is nested too deeply", id="depth"),
    ],
)  # fmt: skip
def test_what_is_invalid_ends_with_4_and_one_sentence(shell: Shell, text: str, due: str) -> None:
    ended = shell("explain", "-", stdin=text)
    assert ended.code == 4
    assert due in ended.err
    assert ended.err.startswith("zerotrust: ")
    assert ended.err.count("\n") == 1
    assert ended.out.strip() == ""


def test_the_valid_tests_of_a_file_are_shown_beside_the_invalid_one(shell: Shell) -> None:
    ended = shell("explain", "-", stdin=f"{GATEWAY.read_text()}\n---\n{_changed(identities=[])}")
    assert ended.code == 4
    assert IDS[0] in ended.out
    assert "ZeroTrustTest shop is invalid" in ended.err


def test_a_file_that_is_not_there_or_not_text_ends_with_4(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "binary", "."):
        ended = shell("explain", str(tmp_path / name))
        assert (ended.code, ended.out) == (4, "")
        assert "cannot be read" in ended.err


def test_control_characters_in_a_manifest_reach_no_terminal(shell: Shell) -> None:
    waivers = [{"case": "orders/*", "until": "2999-01-01", "reason": "\x1b]0;owned\x07 [red]x[/red] \u202e"}]
    ended = shell("explain", "-", stdin=_changed(waivers=waivers))
    assert ended.code == 0
    assert not set(ended.out) & set("\x1b\x07\u202e")
    assert "[red]x[/red]" in ended.out
