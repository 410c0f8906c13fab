"""HTTP paths: a route that is closed stays closed however its path is written (RFC 3986 section 6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import unquote

from zerotrust.layers.base import Approach, Boundary, Call, Draft, Refused, Trial, statuses
from zerotrust.layers.http import REFUSALS, bracket, callers, http

DOT_SEGMENT = re.compile(r"(^|/|%2f)(\.|%2e){1,2}(/|%2f|$)", re.IGNORECASE)
PATH_REFUSALS = REFUSALS | statuses(400, 301, 302, 307, 308, 421)
"""A malformed spelling may be rejected, or redirected to the canonical path, where the decision is made."""

_PATHS = ("RFC 3986 section 6", "OWASP API5:2023", "ASVS 5.0 V8.2.1")

Spelling = Callable[[str], list[str]]


def spelling(function: Spelling) -> Spelling:
    """Register another way to write a path: who may not use the route may not use it spelled like this."""

    def derive(boundary: Boundary) -> Iterator[Draft]:
        for name, attempts in _shut_out(boundary).items():
            trials = [
                Trial(target, replace(approach, call=replace(approach.call, target=target)), control)
                for approach, control in attempts
                if approach.call and approach.call.target != "/"
                for target in dict.fromkeys(function(approach.call.target))
                if not _is_open(boundary, name, approach.call, target)
            ]
            if trials:
                yield Draft(name, Refused(PATH_REFUSALS), tuple(trials))

    derive.__doc__ = function.__doc__
    http.case(
        name=function.__name__.replace("_", "-"),
        motive="Gateway and backend that read one path differently disagree on who may use it.",
        remedy="Normalise paths before deciding, reject encoded slashes, and deny what no rule names.",
        references=_PATHS,
    )(derive)
    return function


def _is_open(boundary: Boundary, name: str, call: Call, target: str) -> bool:
    """Whether a spelling is the path of a call that some route allows, so that it is no way around."""
    if DOT_SEGMENT.search(target):
        return False
    forms = [replace(call, target=form) for form in (target, unquote(target))]
    if http.allows(boundary, name, call):
        return any(http.open_to_all(boundary, form) for form in forms)
    return any(http.allows(boundary, name, form) for form in forms)


def _shut_out(boundary: Boundary) -> dict[str, list[tuple[Approach, Approach | None]]]:
    """For each identity, its approaches to calls that are closed to it, with their controls.

    Where every caller may use every route, the token of a trusted one is left out instead.
    """
    found: dict[str, list[tuple[Approach, Approach | None]]] = {}
    for name in callers(boundary):
        for call in http.closed_to(boundary, name):
            approach = boundary.good(name, call)
            if approach:
                found.setdefault(name, []).append((approach, bracket(boundary, name, call, approach.place)))
    if found or "jwt" not in boundary.specs:
        return found
    for name in callers(boundary)[:1]:
        for call in http.allowed(boundary, name):
            good = boundary.good(name, call)
            if good and good.token:
                control = bracket(boundary, name, call, good.place)
                found.setdefault(name, []).append((replace(good, token=None), control))
    return found


@spelling
def path_dot_segments(path: str) -> list[str]:
    """A path with dot segments does not get around the rule for it."""
    return [f"/.{path}", f"/zerotrust/..{path}", f"{path}/.", f"{path}/zerotrust/.."]


@spelling
def path_double_slash(path: str) -> list[str]:
    """A path with doubled slashes does not get around the rule for it."""
    return [f"/{path}", f"//{path}", f"{path}//"]


@spelling
def path_encoded_dot(path: str) -> list[str]:
    """A path with percent-encoded dot segments does not get around the rule for it."""
    return [f"/%2e{path}", f"/zerotrust/%2e%2e{path}", f"/zerotrust/.%2E{path}"]


@spelling
def path_encoded_slash(path: str) -> list[str]:
    """A path with percent-encoded slashes does not get around the rule for it."""
    return [f"/%2f{path[1:]}", f"{path}%2f", f"/zerotrust/..%2f{path[1:]}", f"/%5c{path[1:]}"]


@spelling
def path_encoded_letter(path: str) -> list[str]:
    """A path with percent-encoded letters does not get around the rule for it."""
    first = path.lstrip("/")[:1]
    if not first:
        return []
    once = path.replace(first, f"%{ord(first):02x}", 1)
    return [once, once.replace("%", "%25", 1)]


@spelling
def path_suffix(path: str) -> list[str]:
    """A path with something appended does not get around the rule for it."""
    return [f"{path}{end}" for end in ("/", ";zerotrust=1", ".json", "%20", "%00", "%23", "/zerotrust")]


@spelling
def path_case(path: str) -> list[str]:
    """A path in other letters does not get around the rule for it."""
    return [form for form in (path.upper(), path.title(), path.swapcase()) if form != path]
