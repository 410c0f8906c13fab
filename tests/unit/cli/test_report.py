"""``report``: verdict first, who gets in where, what failed and what to do; hostile text is shown, never obeyed."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from tests.unit.cli import samples
from tests.unit.cli.api import Api
from tests.unit.cli.conftest import Shell
from zerotrust.api.status import Verdict
from zerotrust.core import report as core_report
from zerotrust.core.test import parse

HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold]x[/bold]</failure>\u202e\x00"


def _serve(api: Api, found: dict[str, samples.Found] | None = None, *, results: bool = True) -> samples.Object:
    item = samples.resource()
    packed = samples.finish(item, found)
    api.tests["shop"] = item
    if results:
        api.maps["shop-results"] = packed
    return item


def _many() -> dict[str, samples.Found]:
    ids = [case for case in _ids() if "/jwt/" in case or "/mtls/" in case]
    return {id_: (Verdict.BREACH, f"an untrusted attempt got in at {id_}", "token: x", "HTTP 200") for id_ in ids}


def _ids() -> list[str]:
    from zerotrust.core.plan import cases  # noqa: PLC0415 - beside its only use

    return [case.id for case in cases(parse(samples.resource()))]


TOTAL = len(_ids())


def test_a_pass_says_so_first_and_exits_with_0(api: Api, shell: Shell) -> None:
    _serve(api)
    ended = shell("report", "shop")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[:2] == ["Pass  team-shop/shop", f"{TOTAL} of {TOTAL} cases passed"]
    assert ended.err == ""


def test_failures_come_with_what_was_seen_tried_and_is_to_be_done(api: Api, shell: Shell) -> None:
    _serve(api, {**samples.BREACHES, **samples.LOCKOUT, **samples.INCONCLUSIVE})
    ended = shell("report", "shop")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[0] == "Fail  team-shop/shop"
    assert lines[1] == f"{TOTAL - 4} of {TOTAL} cases passed, 2 breaches, 1 lockout, 1 inconclusive"
    kinds = [line for line in lines if line.startswith(("Breach", "Lockout", "Inconclusive"))]
    assert kinds == [
        "Breach  jwt/algorithm-confusion  2 cases",
        "Lockout  http/route",
        "Inconclusive  WrongReason",
    ]
    for text in ("token: checkout.algorithm-confusion", "Bind each key to its algorithm", "RFC 8725 section 2.1"):
        assert text in ended.out
    assert all(f"  {id_}" in lines for id_ in samples.BREACHES)
    assert all(len(line) <= 80 for line in lines)


def test_what_many_cases_have_in_the_way_is_told_once(api: Api, shell: Shell) -> None:
    text = "refused, but the trusted control did not get in before and after"
    _serve(api, dict.fromkeys(_ids(), (Verdict.INCONCLUSIVE, text, "token: x", "HTTP 403")))
    ended = shell("report", "shop")
    assert ended.code == 3
    assert f"Inconclusive  WrongReason  {TOTAL} cases" in ended.out
    assert f"  and {TOTAL - 8} more: -o json lists them all" in ended.out
    assert len(ended.out.splitlines()) < 60


def test_the_matrix_shows_the_worst_of_each_layer(api: Api, shell: Shell) -> None:
    _serve(api, {**samples.BREACHES, **samples.LOCKOUT, **samples.INCONCLUSIVE})
    rows = {line.split()[0]: line.split()[1:] for line in shell("report", "shop").out.splitlines()[3:9] if line.strip()}
    assert rows["n"] == ["m", "j", "h"]
    assert rows["checkout"] == ["✓", "✓", "B", "✓"]
    assert rows["reporting"] == ["✓", "✓", "B", "L"]
    assert rows["outsider"] == ["I", "✓", "✓", "·"]


def test_plain_ascii_where_the_locale_has_no_more(api: Api, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C")
    _serve(api, samples.BREACHES)
    ended = shell("report", "shop")
    assert ended.out.isascii()
    assert "checkout    + + B +" in ended.out


def test_all_results_come_from_the_configmap_of_the_same_run(api: Api, shell: Shell) -> None:
    _serve(api, _many())
    document = json.loads(shell("report", "shop", "-o", "json").out)
    assert (len(document["results"]), document["resultsMissing"]) == (TOTAL, "")
    assert document["exitCode"] == 1
    assert document["results"][0]["verdict"] == "Breach"
    assert document["results"][0]["remedy"]


@pytest.mark.parametrize(
    ("edit", "due"),
    [
        pytest.param(lambda m: m.clear(), "is not there", id="missing"),
        pytest.param(lambda m: m["shop-results"].update(binaryData={}), "cannot be read", id="empty"),
        pytest.param(lambda m: _repack(m, run="r0"), "is of another run", id="another run"),
        pytest.param(lambda m: _repack(m, verdict="Pass"), "contradicts the status", id="another verdict"),
        pytest.param(lambda m: _repack(m, results=[]), "less than the status", id="less than the status"),
        pytest.param(lambda m: _repack(m, results=[{"id": 3}]), "cannot be read", id="not results"),
        pytest.param(lambda m: _put(m, b"\0" * 40_000_000), "cannot be read", id="a bomb"),
    ],
)
def test_results_that_do_not_belong_to_the_verdict_are_not_used(api: Api, shell: Shell, edit: Any, due: str) -> None:
    item = _serve(api, _many())
    edit(api.maps)
    ended = shell("report", "shop")
    listed = len(item["status"]["results"])
    assert ended.code == 1
    text = " ".join(ended.out.split())
    assert f"Only {listed} of {TOTAL} results are at hand, the worst: ConfigMap shop-results" in text
    assert due in text


def test_results_that_may_not_be_read_are_said_to_be_missing(api: Api, shell: Shell) -> None:
    _serve(api, _many())
    api.refuse["configmap"] = 403
    ended = shell("report", "shop")
    assert ended.code == 1
    assert "ConfigMap shop-results cannot be read (Forbidden)" in " ".join(ended.out.split())


def test_a_verdict_on_an_older_generation_proves_nothing(api: Api, shell: Shell) -> None:
    item = _serve(api)
    item["metadata"]["generation"] = 2
    ended = shell("report", "shop")
    assert ended.code == 3
    assert "of which nothing is known yet" in " ".join(ended.out.split())
    suites = Xml.fromstring(shell("report", "shop", "-o", "junit").out)
    assert suites.get("errors") == "1"


def test_while_a_re_run_is_under_way_the_last_verdict_stands_with_its_own_results(api: Api, shell: Shell) -> None:
    item = _serve(api, _many())
    samples.start(item)
    ended = shell("report", "shop")
    assert ended.code == 1
    assert "Another run is under way (Preparing)." in ended.out
    assert "results are at hand" not in ended.out


def test_without_a_verdict_it_says_what_is_going_on_and_exits_with_3(api: Api, shell: Shell) -> None:
    item = samples.resource()
    api.tests["shop"] = item
    ended = shell("report", "shop")
    assert (ended.code, ended.out.splitlines()[0]) == (3, "No verdict yet  team-shop/shop")
    samples.start(item)
    ended = shell("report", "shop")
    assert (ended.code, "The first run of this spec is under way" in ended.out) == (3, True)


def test_a_spec_that_cannot_run_exits_with_4_and_says_why(api: Api, shell: Shell) -> None:
    item = samples.resource()
    samples.reject(item)
    api.tests["shop"] = item
    ended = shell("report", "shop")
    assert ended.code == 4
    assert "InvalidSpec: identity x lives in zone y" in ended.out


def test_an_error_without_results_says_what_failed_and_no_machine_sees_green(api: Api, shell: Shell) -> None:
    item = samples.resource()
    failed = core_report.failure(Verdict.ERROR, "WorkloadNotReady", "Deployment orders has 0 of 1 pods ready")
    samples.close(item, parse(item), failed)
    api.tests["shop"] = item
    ended = shell("report", "shop")
    assert ended.code == 2
    assert "WorkloadNotReady: Deployment orders has 0 of 1 pods ready" in ended.out
    suites = Xml.fromstring(shell("report", "shop", "-o", "junit").out)
    assert (suites.get("tests"), suites.get("errors")) == ("1", "1")


def test_junit_has_a_suite_a_boundary_and_a_case_a_case(api: Api, shell: Shell) -> None:
    item = samples.resource()
    item["spec"]["waivers"] = [{"case": "orders/http/path-case/*", "until": "2999-01-01", "reason": "planned"}]
    waived = {"orders/http/path-case/reporting": (Verdict.BREACH, "got in", "", "")}
    api.maps["shop-results"] = samples.finish(item, {**samples.BREACHES, **samples.INCONCLUSIVE, **waived})
    api.tests["shop"] = item
    ended = shell("report", "shop", "-o", "junit")
    assert ended.code == 1
    suites = Xml.fromstring(ended.out)
    (suite,) = suites
    assert suite.get("name") == "orders"
    counts = [suites.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == [str(TOTAL), "2", "1", "1"]
    failure = suite.find("testcase[@name='jwt/algorithm-confusion/checkout']/failure")
    assert failure is not None
    assert failure.get("type") == "Breach"
    assert "remedy: Bind each key" in str(failure.text)


@pytest.mark.parametrize("output", ["table", "json", "junit"])
def test_hostile_text_is_shown_and_never_obeyed(api: Api, shell: Shell, output: str) -> None:
    item = samples.resource()
    samples.finish(item, {"orders/jwt/no-token/checkout": (Verdict.BREACH, HOSTILE, HOSTILE, HOSTILE)})
    item["status"]["results"][0]["id"] = f"{HOSTILE}/x"
    for condition in item["status"]["conditions"]:
        condition["message"] = HOSTILE
    item["status"]["history"] = [item["status"]["history"][0] | {"summary": HOSTILE, "trigger": HOSTILE}] * 2
    api.tests["shop"] = item
    ended = shell("report", "shop", "-o", output)
    assert ended.code == 1, ended.err
    assert not set(ended.out) & set("\x1b\x07\u202e\x00")
    assert "[bold]x[/bold]" in ended.out
    if output == "junit":
        assert Xml.fromstring(ended.out).get("failures") == "1"


def test_ids_longer_than_the_terminal_stay_in_one_piece(api: Api, shell: Shell) -> None:
    item = samples.resource()
    samples.finish(item, samples.LOCKOUT)
    long = f"{'b' * 40}/http/route-get-{'p' * 50}/{'i' * 40}"
    item["status"]["results"][0]["id"] = long
    api.tests["shop"] = item
    lines = shell("report", "shop").out.splitlines()
    assert f"  {long}" in lines
    assert all(len(line) <= 80 for line in lines if long not in line)


def test_fields_that_a_newer_operator_adds_are_passed_over(api: Api, shell: Shell) -> None:
    item = _serve(api, samples.BREACHES)
    item["status"]["novelty"] = {"a": 1}
    item["status"]["run"]["novelty"] = 1
    item["status"]["results"][0]["novelty"] = 1
    assert shell("report", "shop").code == 1


def test_a_status_that_makes_no_sense_ends_with_2(api: Api, shell: Shell) -> None:
    item = _serve(api)
    item["status"]["verdict"] = "Splendid"
    ended = shell("report", "shop")
    assert (ended.code, "status.verdict" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "refuse", "code", "due"),
    [
        pytest.param(["shp"], {}, 4, "there is shop", id="another name"),
        pytest.param(["shop", "-n", "other"], {}, 4, "there are none", id="another namespace"),
        pytest.param(["shp"], {"list": 403}, 4, "there is no ZeroTrustTest shp", id="may not list"),
        pytest.param(["shp"], {"list": 404}, 4, "does not know the kind", id="no CRD"),
        pytest.param(["shop"], {"get": 403}, 4, "not allowed: get is refused", id="forbidden"),
        pytest.param(["shop"], {"get": 401}, 4, "does not know you", id="unauthorised"),
        pytest.param(["shop"], {"get": 503}, 2, "answered 503", id="unavailable"),
        pytest.param(["shop", "--context", "nowhere"], {}, 2, "cannot be used", id="no such context"),
        pytest.param([], {}, 4, "Missing argument", id="usage"),
        pytest.param(["shop", "-o", "yaml"], {}, 4, "yaml", id="output"),
    ],
)
def test_what_cannot_be_reported_ends_with_one_sentence(
    api: Api, shell: Shell, arguments: list[str], refuse: dict[str, int], code: int, due: str
) -> None:
    item = samples.resource()
    samples.finish(item)
    api.tests["shop"] = item
    api.refuse |= refuse
    if "-n" in arguments:
        api.tests.clear()
    ended = shell("report", *arguments)
    assert ended.code == code
    assert due in ended.err
    assert ended.out == ""
    assert ended.err.count("\n") == 1


def test_no_api_server_ends_with_2_and_a_document_for_machines(api: Api, shell: Shell) -> None:
    api.restart(lambda: _expect_down(shell))


def _expect_down(shell: Shell) -> None:
    ended = shell("report", "shop", "-o", "junit")
    assert ended.code == 2
    assert "did not answer" in ended.err
    assert Xml.fromstring(ended.out).get("errors") == "1"


def _put(maps: dict[str, Any], data: bytes) -> None:
    maps["shop-results"]["binaryData"] = {"results.json.gz": base64.b64encode(gzip.compress(data)).decode()}


def _repack(maps: dict[str, Any], **changes: object) -> None:
    packed = maps["shop-results"]["binaryData"]["results.json.gz"]
    _put(maps, json.dumps(json.loads(gzip.decompress(base64.b64decode(packed))) | changes).encode())
