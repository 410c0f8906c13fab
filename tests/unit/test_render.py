"""Derived files are what the code says, and the command that writes them tells what it did."""

from pathlib import Path

import pytest
import yaml

from zerotrust import render
from zerotrust.api.crd import definition

FRESH = {"a/one.yaml": lambda: "one\n", "two.yaml": lambda: "two\n"}


def test_no_committed_copy_differs_from_the_code() -> None:
    assert list(render.differing(render.ROOT)) == [], "run `make render`"


def test_the_rendered_crd_is_the_definition_with_a_header() -> None:
    text = render.crd()
    assert text.startswith(render.HEADER)
    assert yaml.safe_load(text) == definition()


def test_rendering_twice_gives_the_same_bytes_without_anchors() -> None:
    text = render.crd()
    assert text == render.crd()
    assert "&id" not in text


def test_missing_and_changed_files_differ_and_writing_them_settles_it(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text("edited by hand\n")
    stale = render.differing(tmp_path, FRESH)
    assert stale == {"a/one.yaml": "one\n", "two.yaml": "two\n"}
    render.write(tmp_path, stale)
    assert render.differing(tmp_path, FRESH) == {}


def test_other_line_endings_are_a_difference(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_bytes(b"two\r\n")
    assert list(render.differing(tmp_path, {"two.yaml": FRESH["two.yaml"]})) == ["two.yaml"]


def test_check_names_the_files_that_differ_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.main(["--check"], root=tmp_path) == 1
    named = capsys.readouterr().out
    assert all(path in named for path in render.DERIVED)
    assert list(tmp_path.iterdir()) == []


def test_rendering_writes_every_file_and_then_the_check_is_silent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render.main([], root=tmp_path) == 0
    assert all((tmp_path / path).is_file() for path in render.DERIVED)
    capsys.readouterr()
    assert render.main(["--check"], root=tmp_path) == 0
    assert capsys.readouterr().out == ""
