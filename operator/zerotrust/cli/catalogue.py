"""What a case id means: its parts, and the definition in the code that it comes from."""

from __future__ import annotations

from dataclasses import dataclass

import zerotrust.layers  # noqa: F401 - importing it registers every layer
from zerotrust.layers.base import Definition, Layer


@dataclass(frozen=True, slots=True)
class CaseId:
    """``<boundary>/<layer>/<case>/<identity>``; an id of another form keeps its parts as far as they go."""

    boundary: str
    layer: str
    case: str
    identity: str

    @classmethod
    def of(cls, id_: str) -> CaseId:
        parts = id_.split("/", 3)
        return cls(*parts, *[""] * (4 - len(parts)))


def definition(id_: str) -> Definition | None:
    """The kind of case that an id belongs to; None for one that this program does not know.

    A case may carry more in its id than its definition's name: ``route-post-orders`` is a ``route``.
    """
    case = CaseId.of(id_)
    known = Layer.registry[case.layer].cases if case.layer in Layer.registry else {}
    if case.case in known:
        return known[case.case]
    fitting = [name for name in known if case.case.startswith(f"{name}-")]
    return known[max(fitting, key=len)] if fitting else None
