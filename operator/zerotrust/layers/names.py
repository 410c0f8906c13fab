"""Names an author may use: bounded, and safe in ids, labels, files and URLs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Name = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""A DNS label, short enough to be part of a namespace's name."""
Names = Annotated[tuple[Name, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "set"})]
