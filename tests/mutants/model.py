"""A mutant as its file has it: which system, what is changed, and what must turn red."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator


class Expected(StrEnum):
    """Verdicts on a case that a mutant may ask for."""

    BREACH = "Breach"
    LOCKOUT = "Lockout"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


ACCUSATIONS = frozenset({Expected.BREACH, Expected.LOCKOUT})
"""Verdicts that blame the system; the others say that nothing could be shown."""


class MutantInvalid(ValueError):
    """A mutant that cannot be used, and why: it names the file or the mutant."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Patterns = Annotated[tuple[str, ...], Field(min_length=1)]


class Change(_Model):
    """One edit: RFC 6902 operations on a document of a file, or a text in it replaced.

    ``file``: ``test.yaml`` or a manifest, with or without its folder. ``kind`` and ``name`` choose among the
    documents of a file; without them the patch must fit exactly one. ``old`` must be there once, or ``all`` be set.
    """

    file: str
    patch: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] | None = None
    kind: str | None = None
    name: str | None = None
    old: Annotated[str, Field(min_length=1)] | None = None
    new: str | None = None
    all: bool = False

    @model_validator(mode="after")
    def _patch_or_text(self) -> Self:
        text = self.old is not None and self.new is not None
        if (self.patch is not None) == text or (self.old is None) != (self.new is None):
            raise ValueError("a change has either `patch` or both `old` and `new`")
        if text and (self.kind or self.name):
            raise ValueError("`kind` and `name` go with `patch`")
        if self.patch is not None and self.all:
            raise ValueError("`all` goes with `old` and `new`")
        return self


class Consequence(_Model):
    """Cases that turn with the defect because they cannot do otherwise, and why."""

    cases: Patterns
    verdict: Expected
    reason: Annotated[str, Field(min_length=10)]


class Expectation(_Model):
    """What must turn red: a case with one of the verdicts must match a pattern; with ``every``, each pattern."""

    verdict: tuple[Expected, ...]
    cases: Patterns
    every: bool = False
    also: tuple[Consequence, ...] = ()

    @field_validator("verdict", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Mutant(BaseModel):
    """A healthy system with one defect. Fields of its author's own are let be."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=60)]
    system: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$")]
    title: str
    change: Annotated[tuple[Change, ...], Field(min_length=1)]
    expect: Expectation


def parse(document: Any, where: str) -> Mutant:
    """A mutant from a document. Errors: MutantInvalid with every problem."""
    try:
        return Mutant.model_validate(document)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc'])) or 'mutant'}: {item['msg']}" for item in error.errors()]
        raise MutantInvalid(f"{where}: {'; '.join(problems)}") from None


def load(folder: Path) -> list[Mutant]:
    """All mutants of a folder and those below it, by id. Errors: MutantInvalid, also for an id that is there twice."""
    if not folder.is_dir():
        raise MutantInvalid(f"{folder} is no folder")
    found: dict[str, Mutant] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".yml")):
        try:
            documents = [item for item in yaml.safe_load_all(path.read_text()) if item is not None]
        except yaml.YAMLError as error:
            raise MutantInvalid(f"{path}: not YAML: {error}") from None
        for document in documents:
            mutant = parse(document, str(path))
            if mutant.id in found:
                raise MutantInvalid(f"{path}: id {mutant.id} is there twice")
            found[mutant.id] = mutant
    return [found[id_] for id_ in sorted(found)]


def chosen(mutants: Iterable[Mutant], ids: Iterable[str]) -> list[Mutant]:
    """The mutants with these ids, all where none is named. Errors: MutantInvalid for an id that nobody has."""
    known = {mutant.id: mutant for mutant in mutants}
    wanted = list(dict.fromkeys(ids)) or list(known)
    unknown = [id_ for id_ in wanted if id_ not in known]
    if unknown:
        raise MutantInvalid(f"no mutant is called {', '.join(unknown)}")
    return [known[id_] for id_ in wanted]
