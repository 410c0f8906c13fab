"""From what is allowed follows everything that must be refused: each cell once, one factor at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.support import boundary, gateway, quick
from zerotrust.core import plan
from zerotrust.core import test as declaration
from zerotrust.core.test import parse
from zerotrust.layers.base import OUTSIDER, Admitted, Approach, Boundary, Case, Coverage, Layer, Refused, Trial
from zerotrust.layers.http import http
from zerotrust.layers.mtls import Check, MtlsSpec
from zerotrust.trust.forgeries import CERTIFICATE_FORGERIES, TOKEN_FORGERIES

IDENTITIES = ("web", "ann", "bob", "cid")
PATHS = ("/", "/things", "/things/1", "/things/*", "/admin", "/*", "/a-b", "/a/b", "/Über"[:1] + "x.y")
subsets = st.lists(st.sampled_from(IDENTITIES), unique=True, max_size=4)
some = st.lists(st.sampled_from(IDENTITIES), unique=True, min_size=1, max_size=4)


@st.composite
def worlds(draw: st.DrawFn) -> Boundary:
    """A boundary that an author may declare: any layers, any lists that do not contradict each other."""
    specs: dict[str, Any] = {}
    inner = list(IDENTITIES)
    if draw(st.booleans()):
        specs["network"] = {"allow": draw(subsets)}
    if draw(st.booleans()):
        inner = draw(subsets)
        specs["mtls"] = {"allow": inner}
    if draw(st.booleans()) or not specs:
        if draw(st.booleans()):
            specs["jwt"] = {"audience": "web"}
            if draw(st.booleans()):
                inner = [name for name in draw(subsets) if name in inner]
                specs["jwt"]["allow"] = inner
        known = specs.keys() & {"mtls", "jwt"}
        specs["http"] = {"routes": draw(routes(inner if known else []))}
    return boundary(IDENTITIES, **specs)


@st.composite
def routes(draw: st.DrawFn, trusted: list[str]) -> list[dict[str, Any]]:
    """Routes on distinct paths; their lists name only those whom the outer layers let through and can tell apart."""
    found = []
    for path in draw(st.lists(st.sampled_from(PATHS), unique=True, min_size=1, max_size=4)):
        listed = st.lists(st.sampled_from(trusted), unique=True) if trusted else st.nothing()
        allow = draw(st.just("Anyone") | listed)
        methods = draw(st.lists(st.sampled_from(["GET", "POST", "DELETE"]), unique=True, min_size=1))
        found.append({"methods": methods, "path": path, "allow": allow})
    return found


def _trials(found: list[Case], kind: type[Admitted] | type[Refused]) -> Iterator[tuple[Case, Trial]]:
    return ((case, trial) for case in found if isinstance(case.expects, kind) for trial in case.trials)


def _changed(one: Approach, other: Approach) -> set[str]:
    return {field.name for field in fields(Approach) if getattr(one, field.name) != getattr(other, field.name)}


@quick
@given(worlds())
def test_ids_are_unique_and_well_formed(world: Boundary) -> None:
    found = [case.id for case in world.cases()]

    assert [id_ for id_, count in Counter(found).items() if count > 1] == []
    for id_ in found:
        place, layer, name, identity = id_.split("/")
        assert place == "web"
        assert layer in world.specs
        assert name
        assert identity in (*IDENTITIES, OUTSIDER)


@quick
@given(worlds())
def test_every_place_is_either_let_through_the_network_or_kept_out(world: Boundary) -> None:
    spec = world.specs.get("network")
    found = [case for case in world.cases() if case.definition.layer == "network" and "port" not in case.id]
    expected = {} if spec is None else {n: n in world.specs["network"].allow for n in (*IDENTITIES, OUTSIDER)}  # type: ignore[attr-defined]

    assert {case.identity: isinstance(case.expects, Admitted) for case in found} == expected
    assert len(found) == len(expected)


@quick
@given(worlds())
def test_every_certificate_is_either_accepted_or_refused(world: Boundary) -> None:
    spec: Any = world.specs.get("mtls")
    places: Any = world.specs.get("network")
    if spec is None or (places is not None and not places.allow):
        return
    found = [
        case for case in world.cases() if case.id.split("/")[1:3] in (["mtls", "allowed"], ["mtls", "wrong-identity"])
    ]

    assert {case.identity: isinstance(case.expects, Admitted) for case in found} == {
        name: name in spec.allow for name in (*IDENTITIES, OUTSIDER)
    }
    assert len(found) == len(IDENTITIES) + 1


def _covers(path: str, target: str) -> bool:
    """A path ending in /* covers everything below it; every other path covers itself."""
    return target.startswith(path[:-1]) if path.endswith("/*") else target == path


def _may(world: Boundary, identity: str, method: str, target: str) -> bool:
    """The declared answer of the application alone, computed independently."""
    spec: Any = world.specs["http"]
    return any(
        method in route.methods and _covers(route.path, target) and (route.allow == "Anyone" or identity in route.allow)
        for route in spec.routes
    )


def _passes(world: Boundary, identity: str, method: str, target: str) -> bool:
    """The declared answer to an identity that shows everything it has, from a place with access."""
    outer: list[Any] = [world.specs.get("mtls"), world.specs.get("jwt")]
    anonymous = any(
        method in route.methods and _covers(route.path, target) and route.allow == "Anyone"
        for route in world.specs["http"].routes  # type: ignore[attr-defined]
    )
    certified = outer[0] is None or identity in outer[0].allow
    vouched = anonymous or outer[1] is None or outer[1].allow is None or identity in outer[1].allow
    return certified and vouched and _may(world, identity, method, target)


def _may_any(world: Boundary, identity: str) -> bool:
    spec: Any = world.specs["http"]
    calls = [(method, route.path.replace("*", "x")) for route in spec.routes for method in route.methods]
    return any(_passes(world, identity, method, target) for method, target in calls)


@quick
@given(worlds())
def test_every_cell_of_identities_and_routes_is_decided_exactly_once_and_as_declared(world: Boundary) -> None:
    spec: Any = world.specs.get("http")
    cells = [case for case in world.cases() if case.definition.name == "route"]
    places: Any = world.specs.get("network")
    shut = places is not None and not places.allow

    assert len(cells) == (len(IDENTITIES) * len(spec.routes) if spec else 0)
    for cell in cells:
        for trial in cell.trials:
            assert trial.approach.call
            due = _passes(world, cell.identity, trial.approach.call.method, trial.approach.call.target)
            assert isinstance(cell.expects, Admitted) == due, trial.label
        assert cell.trials or cell.skipped or shut


@quick
@given(worlds())
def test_nothing_that_the_declaration_allows_is_expected_to_be_refused(world: Boundary) -> None:
    for case, trial in _trials(list(world.cases()), Refused):
        spoiled = case.definition.layer in ("network", "mtls") or (trial.approach.token or None) != (
            trial.control and trial.control.token
        )
        call = trial.approach.call
        if call and not spoiled and "/path-" not in case.id:
            assert not _passes(world, case.identity, call.method, call.target), trial.label


@quick
@given(worlds())
def test_an_open_route_is_never_expected_to_ask_for_a_token(world: Boundary) -> None:
    for case, trial in _trials(list(world.cases()), Refused):
        call = trial.approach.call
        if case.definition.layer == "jwt" and call:
            assert not _passes(world, "nobody", call.method, call.target), case.id


@quick
@given(worlds())
def test_a_negative_is_never_the_same_as_its_control(world: Boundary) -> None:
    for case, trial in _trials(list(world.cases()), Refused):
        assert trial.approach != trial.control, case.id


IDENTITY = {"certificate", "token"}
"""What an identity is at a door; with the place where the network is asked."""
DOCUMENTED: dict[tuple[str, str], set[str]] = {
    ("mtls", "plaintext"): {"tls", "certificate"},
    ("mtls", "other-server-name"): {"certificate", "hello", "call"},
}
"""What more than one attribute must be changed for; of a case's several attempts some may change fewer."""


@quick
@given(worlds())
def test_a_negative_differs_from_its_control_in_one_factor(world: Boundary) -> None:
    for case, trial in _trials(list(world.cases()), Refused):
        if trial.control is None:
            continue
        changed = _changed(trial.approach, trial.control)
        kind = (case.definition.layer, case.definition.name)
        harmless = trial.approach.call is not None and not trial.approach.call.safe
        if kind in DOCUMENTED:
            assert changed <= DOCUMENTED[kind], case.id
        elif kind[0] == "http":
            # Another caller of the same call, or another call of the same caller; another caller's harmless call
            # only where the one who is refused has none. A route that is open to anyone asks for no token.
            if "/path-" in case.id:  # the path of a call that is closed to the caller, written differently
                assert changed <= IDENTITY | {"call"}, (case.id, changed)
                continue
            open_route = trial.control.call is not None and trial.control.call.anonymous
            assert (
                changed <= IDENTITY
                or changed <= ({"call", "token"} if open_route else {"call"})
                or not _may_any(world, case.identity)
            ), (case.id, changed)
            assert "place" not in changed
        else:
            assert len(changed - ({"call"} if harmless else set())) == 1, (case.id, changed)


@quick
@given(worlds())
def test_every_control_is_declared_to_get_in(world: Boundary) -> None:
    for case, trial in _trials(list(world.cases()), Refused):
        control = trial.control
        if control is None:
            continue
        spec: Any = world.specs.get("network")
        assert spec is None or control.place in spec.allow, case.id
        if control.certificate:
            assert not control.certificate.forgery
            assert control.certificate.identity in world.specs["mtls"].allow  # type: ignore[attr-defined]
        if control.call:
            names = {ref.identity for ref in (control.certificate, control.token) if ref} or set(IDENTITIES)
            assert any(_passes(world, name, control.call.method, control.call.target) for name in names), case.id


@quick
@given(worlds())
def test_nothing_is_tried_from_nowhere(world: Boundary) -> None:
    for case in world.cases():
        for trial in case.trials:
            assert trial.approach.place in (*IDENTITIES, OUTSIDER)
            assert trial.control is None or trial.control.place in (*IDENTITIES, OUTSIDER)


@quick
@given(worlds())
def test_forgeries_that_are_named_can_be_made(world: Boundary) -> None:
    found = list(world.cases())

    assert {ref.forgery for ref in plan.certificates(found)} <= {"", *CERTIFICATE_FORGERIES}
    assert {t.ref.forgery for t in plan.tokens(found, {"web": world})} <= {"", *TOKEN_FORGERIES}


def _everything(test: declaration.Test) -> list[Case]:
    """Every case there can be: all that an author may declare, declared."""
    (world,) = test.boundaries
    specs = {**world.specs, "mtls": MtlsSpec(allow=("checkout", "reporting"), checks=tuple(Check))}
    return list(replace(world, specs=specs).cases(Coverage.EXHAUSTIVE))


def test_every_forgery_that_can_be_made_is_used() -> None:
    found = [case for case in _everything(parse(gateway())) if case.boundary == "orders"]
    used = {ref.forgery for ref in plan.certificates(found)} | {
        t.ref.forgery for t in plan.tokens(found, {"orders": parse(gateway()).boundaries[0]})
    }

    assert used == {"", *CERTIFICATE_FORGERIES, *TOKEN_FORGERIES}


@quick
@given(worlds())
def test_positives_prefer_a_call_that_changes_nothing(world: Boundary) -> None:
    spec: Any = world.specs.get("http")
    for case, trial in _trials(list(world.cases()), Refused):
        control = trial.control.call if trial.control else None
        if control is None or control.safe or case.definition.layer == "jwt":
            continue
        assert trial.control
        shown = (trial.control.certificate, trial.control.token)
        names = {ref.identity for ref in shown if ref}
        for name in names or IDENTITIES:
            assert (
                not any("GET" in r.methods and (r.allow == "Anyone" or name in r.allow) for r in spec.routes)
                or not names
            )


@pytest.mark.parametrize(
    "definition",
    [each for layer in Layer.registry.values() for each in layer.cases.values()],
    ids=lambda each: f"{each.layer}/{each.name}",
)
def test_every_case_says_why_it_matters_what_to_do_and_who_says_so(definition: Any) -> None:
    assert definition.summary.endswith(".")
    assert len(definition.motive) > 20
    assert len(definition.remedy) > 20
    assert definition.references
    assert all(reference.strip() for reference in definition.references)
    assert len(set(definition.references)) == len(definition.references)


def test_layers_are_asked_from_the_outside_in() -> None:
    ordered = sorted(Layer.registry.values(), key=lambda layer: layer.order)

    assert [layer.name for layer in ordered] == ["network", "mtls", "jwt", "http"]
    assert len({layer.order for layer in ordered}) == len(ordered)


def test_two_layers_or_two_cases_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two layers"):
        Layer("http", http.spec, order=1)
    with pytest.raises(ValueError, match="twice or has no docstring"):
        http.case(motive="", remedy="", references=(), name="route")(lambda _: [])
