"""Mutant files: read as written, or refused with what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mutants.model import Expected, MutantInvalid, chosen, load, parse

GOOD: dict[str, Any] = {
    "id": "m1",
    "system": "gateway",
    "title": "A defect",
    "change": [{"file": "config.yaml", "old": "on", "new": "off"}],
    "expect": {"verdict": "Breach", "cases": ["orders/*"]},
}


def test_one_verdict_or_several() -> None:
    assert parse(GOOD, "here").expect.verdict == (Expected.BREACH,)
    several = GOOD | {"expect": {"verdict": ["Inconclusive", "Error"], "cases": ["*"]}}
    assert parse(several, "here").expect.verdict == (Expected.INCONCLUSIVE, Expected.ERROR)


def test_fields_of_an_authors_own_are_let_be() -> None:
    assert parse(GOOD | {"catalogue": "E01"}, "here").id == "m1"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"id": "no spaces"}, "id"),
        ({"change": []}, "change"),
        ({"change": [{"file": "a.yaml"}]}, "either `patch` or both"),
        ({"change": [{"file": "a.yaml", "old": "x"}]}, "either `patch` or both"),
        ({"change": [{"file": "a.yaml", "old": "x", "new": "y", "patch": [{}]}]}, "either `patch` or both"),
        ({"change": [{"file": "a.yaml", "old": "x", "new": "y", "kind": "Service"}]}, "go with `patch`"),
        ({"change": [{"file": "a.yaml", "patch": [{"op": "x"}], "all": True}]}, "goes with `old`"),
        ({"change": [{"file": "a.yaml", "old": "", "new": "y"}]}, "old"),
        ({"change": [{"fiel": "a.yaml", "old": "x", "new": "y"}]}, "fiel"),
        ({"expect": {"verdict": "Pass", "cases": ["*"]}}, "verdict"),
        ({"expect": {"verdict": "Breach", "cases": []}}, "cases"),
        ({"expect": {"verdict": "Breach", "cases": ["*"], "also": [{"cases": ["*"], "verdict": "Breach"}]}}, "reason"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(MutantInvalid, match=says):
        parse(GOOD | changes, "here")


def test_folders_are_read_with_those_below_and_several_documents_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all([GOOD | {"id": "m2"}, GOOD]))
    (tmp_path / "below" / "b.yml").write_text(yaml.safe_dump(GOOD | {"id": "m3"}))
    (tmp_path / "README.md").write_text("no mutant")
    mutants = load(tmp_path)
    assert [mutant.id for mutant in mutants] == ["m1", "m2", "m3"]
    assert [mutant.id for mutant in chosen(mutants, ["m3", "m1", "m3"])] == ["m3", "m1"]
    assert chosen(mutants, []) == mutants
    with pytest.raises(MutantInvalid, match="m9"):
        chosen(mutants, ["m1", "m9"])


def test_the_same_id_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all([GOOD, GOOD]))
    with pytest.raises(MutantInvalid, match="twice"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["a: [", "- just a list\n"])
def test_a_file_that_is_no_mutant_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(MutantInvalid, match=r"broken\.yaml"):
        load(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MutantInvalid, match="no folder"):
        load(tmp_path / "gone")
