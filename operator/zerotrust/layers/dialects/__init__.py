"""How servers say no where the standards leave it open: data, one YAML file a server, read once.

A pattern is as narrow as the server's own words allow, so that knowing one server's refusals never excuses
another's errors: each known dialect holds at every boundary, and an author may declare more for one of them.
An answer that no standard and no dialect calls a refusal is Inconclusive, with what was seen.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Annotated

import yaml
from pydantic import Field, model_validator

from zerotrust.contract import Fact
from zerotrust.layers.names import Spec


class HeaderIs(Spec):
    """A response header and its exact value."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
    value: Annotated[str, Field(max_length=256, pattern=r"^[\t -~]*$")]


class Answer(Spec):
    """One way of saying no: a TLS alert, or an HTTP status with what tells it from other uses of that status."""

    alert: Annotated[
        str | None, Field(max_length=40, pattern=r"^[a-z_]+$", description="Name of the TLS alert (RFC 8446 6).")
    ] = None
    status: Annotated[int | None, Field(ge=200, le=599)] = None
    header: HeaderIs | None = None
    body: Annotated[
        str | None, Field(min_length=3, max_length=128, description="Text within the first 512 bytes of the body.")
    ] = None

    @model_validator(mode="after")
    def _is_one_answer(self) -> Answer:
        if (self.alert is None) == (self.status is None):
            raise ValueError("give either alert or status")
        if self.alert and (self.header or self.body):
            raise ValueError("an alert has neither header nor body")
        if self.status and self.status < 300 and not (self.header or self.body):
            raise ValueError(f"status {self.status} alone is a success: add the header or body that makes it a refusal")
        return self

    def says(self, fact: Fact) -> bool:
        """Whether a fact shows this very answer."""
        if self.alert is not None:
            return fact.tls is not None and fact.tls.asked and fact.tls.alert == self.alert
        seen = fact.http
        if seen is None or seen.status != self.status or (self.body is not None and self.body not in seen.body):
            return False
        wanted = self.header
        if wanted is None:
            return True
        return any(name.lower() == wanted.name.lower() and value == wanted.value for name, value in seen.headers)


Answers = Annotated[tuple[Answer, ...], Field(min_length=1, max_length=16)]


class Refusals(Spec):
    """How a server says no, layer by layer, besides what the standards and the known dialects hold."""

    mtls: Answers | None = None
    jwt: Answers | None = None
    http: Answers | None = None

    def of(self, layer: str) -> tuple[Answer, ...]:
        """The answers of one layer."""
        return getattr(self, layer, None) or ()

    def all(self) -> Iterator[tuple[str, Answer]]:
        """Every answer with its layer's name."""
        for layer in type(self).model_fields:
            yield from ((layer, answer) for answer in self.of(layer))


class Dialect(Spec):
    """What is known of one server: where its words are documented or were seen, and what they are."""

    server: str
    source: str
    refusals: Refusals


@functools.cache
def known() -> Mapping[str, Dialect]:
    """Every dialect of this package, by the name of its file. Errors: ValidationError for a file that is not one."""
    files = sorted((f for f in resources.files(__name__).iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return {
        file.name.removesuffix(".yaml"): Dialect.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
        for file in files
    }


@functools.cache
def spoken(layer: str) -> tuple[Answer, ...]:
    """The refusals of one layer in all known dialects."""
    return tuple(answer for dialect in known().values() for answer in dialect.refusals.of(layer))
