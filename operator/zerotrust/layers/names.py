"""What an author writes: the base of its models, and names that are safe in ids, labels, files and URLs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""A DNS label, short enough to be part of a namespace's name."""
Names = Annotated[tuple[Name, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"})]


class Spec(BaseModel):
    """Base of everything an author writes: camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)
