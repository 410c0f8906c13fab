"""``wait`` and ``run``: a verdict on the present spec or a clear end, whatever happens on the way."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from xml.etree import ElementTree as Xml

import pytest

from tests.unit.cli import samples
from tests.unit.cli.api import Api
from tests.unit.cli.conftest import Ended, Shell
from zerotrust.api.resource import RERUN_ANNOTATION
from zerotrust.api.status import Verdict
from zerotrust.cli import following
from zerotrust.core import report as core_report
from zerotrust.core.test import parse

Begin = Callable[..., "Future[Ended]"]


@pytest.fixture
def begin(api: Api, shell: Shell) -> Iterator[Begin]:
    """Run a command beside the test; returns once it watches."""
    with ThreadPoolExecutor(1) as pool:

        def call(*arguments: str) -> Future[Ended]:
            ending = pool.submit(shell, *arguments)
            assert api.watching.wait(10)
            return ending

        yield call


def _contradict(item: samples.Object) -> None:
    item["spec"]["identities"][0]["zone"] = "nowhere"
    samples.reject(item)


def _ended(verdict: Verdict) -> samples.Object:
    item = samples.resource()
    if verdict is Verdict.ERROR:
        samples.close(item, parse(item), core_report.failure(verdict, "RunTimeout", "too slow"))
    else:
        samples.finish(item, {Verdict.FAIL: samples.BREACHES, Verdict.INCONCLUSIVE: samples.INCONCLUSIVE}.get(verdict))
    return item


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.PASS, 0), (Verdict.FAIL, 1), (Verdict.ERROR, 2), (Verdict.INCONCLUSIVE, 3)]
)
def test_a_verdict_that_is_there_is_the_exit_code_at_once(api: Api, shell: Shell, verdict: Verdict, code: int) -> None:
    api.tests["shop"] = _ended(verdict)
    ended = shell("wait", "shop")
    assert ended.code == code
    assert ended.out.splitlines()[0] == f"{verdict}  team-shop/shop"
    assert ended.err == ""


def test_wait_follows_the_first_run_and_says_each_thing_once(api: Api, begin: Begin) -> None:
    item = api.tests["shop"] = samples.resource()
    ending = begin("wait", "shop")
    for _ in range(3):
        api.change("shop", lambda item: samples.start(item, "r1"))
    api.change("shop", lambda item: samples.finish(item, samples.BREACHES, run="r1"))
    ended = ending.result(10)
    assert ended.code == 1
    said = [line[7:] for line in ended.err.splitlines()]
    assert said == ["waiting for the operator to take it up", "Preparing: the sandbox is being built"]
    assert "token: checkout.algorithm-confusion" in ended.out
    assert "\x1b" not in ended.out + ended.err
    assert item["status"]["verdict"] == "Fail"


def test_the_verdict_of_an_older_generation_is_not_taken(api: Api, begin: Begin) -> None:
    item = api.tests["shop"] = _ended(Verdict.PASS)
    item["metadata"]["generation"] = 2
    ending = begin("wait", "shop")
    api.change("shop", lambda item: samples.start(item, "r2"))
    assert not ending.done()
    api.change("shop", lambda item: samples.finish(item, samples.BREACHES, run="r2"))
    assert ending.result(10).code == 1


def test_a_run_under_way_is_awaited_although_the_last_verdict_still_stands(api: Api, begin: Begin) -> None:
    item = api.tests["shop"] = _ended(Verdict.PASS)
    samples.start(item, "r2")
    ending = begin("wait", "shop")
    api.change("shop", lambda item: samples.finish(item, samples.BREACHES, run="r2"))
    ended = ending.result(10)
    assert (ended.code, "Preparing again" in ended.err) == (1, True)


def test_a_re_run_that_was_asked_for_is_awaited(api: Api, begin: Begin) -> None:
    item = api.tests["shop"] = _ended(Verdict.PASS)
    item["metadata"]["annotations"] = {RERUN_ANNOTATION: "now"}
    ending = begin("wait", "shop")
    api.change("shop", lambda item: samples.start(item, "r2"))
    api.change("shop", lambda item: samples.finish(item, run="r2"))
    assert ending.result(10).code == 0


def test_a_cut_watch_is_taken_up_again_and_misses_nothing(api: Api, begin: Begin) -> None:
    item = api.tests["shop"] = samples.resource()
    ending = begin("wait", "shop")
    samples.finish(item)  # nobody who watches is told
    api.cut()
    assert ending.result(10).code == 0


def test_an_api_server_that_goes_away_and_comes_back_costs_nothing(api: Api, begin: Begin) -> None:
    item = api.tests["shop"] = samples.resource()
    ending = begin("wait", "shop")

    def judged() -> None:
        samples.finish(item)

    api.restart(judged)
    assert ending.result(20).code == 0


def test_an_api_server_that_stays_away_ends_with_2(api: Api, begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "GIVE_UP", 0.5)
    api.tests["shop"] = samples.resource()
    ending = begin("wait", "shop")
    ended: list[Ended] = []
    api.restart(lambda: ended.append(ending.result(20)))
    assert (ended[0].code, "did not answer" in ended[0].err) == (2, True)


def test_who_may_get_but_not_watch_waits_too(api: Api, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL", 0.05)
    monkeypatch.setattr(following, "RECONNECT", 0.05)
    item = api.tests["shop"] = samples.resource()
    api.refuse = {"list": 403, "watch": 403}
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(shell, "wait", "shop")
        while api.asked.count("get") < 4:
            assert not ending.done()
        samples.finish(item)
        assert ending.result(10).code == 0


def test_a_timeout_is_124_says_what_was_last_seen_and_is_red_for_machines(api: Api, shell: Shell) -> None:
    item = api.tests["shop"] = samples.resource()
    samples.start(item, "r1")
    ended = shell("wait", "shop", "--timeout", "1s", "-o", "junit")
    assert ended.code == 124
    last = ended.err.splitlines()[-1]
    assert last == (
        "zerotrust: no verdict on team-shop/shop after 1 s; last seen: Preparing: the sandbox is being built"
    )
    assert Xml.fromstring(ended.out).get("errors") == "1"


def test_an_operator_that_takes_nothing_up_is_worth_a_word(
    api: Api, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "UNTAKEN", 0.0)
    api.tests["shop"] = samples.resource()
    ended = shell("wait", "shop", "--timeout", "1s")
    assert ended.code == 124
    assert "waiting for the operator to take it up; does it run?" in ended.err


@pytest.mark.parametrize(
    ("edit", "due"),
    [
        pytest.param(samples.reject, "cannot run: InvalidSpec: identity x", id="invalid"),
        pytest.param(lambda item: item["spec"]["run"].update(suspend=True), "is suspended", id="suspended"),
        pytest.param(lambda item: item["metadata"].update(deletionTimestamp="now"), "is being deleted", id="deleting"),
        pytest.param(lambda item: item["metadata"].update(uid="u-2"), "was deleted meanwhile", id="replaced"),
    ],
)
def test_what_will_never_run_ends_with_4_while_waiting(
    api: Api, begin: Begin, edit: Callable[[samples.Object], object], due: str
) -> None:
    api.tests["shop"] = samples.resource()
    ending = begin("wait", "shop")
    api.change("shop", edit)
    ended = ending.result(10)
    assert (ended.code, ended.out) == (4, "")
    assert due in ended.err.splitlines()[-1]


def test_a_test_deleted_while_waiting_ends_with_4(api: Api, begin: Begin) -> None:
    api.tests["shop"] = samples.resource()
    ending = begin("wait", "shop", "-o", "json")
    api.delete("shop")
    ended = ending.result(10)
    assert ended.code == 4
    assert json.loads(ended.out)["message"] == "team-shop/shop was deleted meanwhile"


def test_a_verdict_stands_although_the_test_is_suspended_now(api: Api, shell: Shell) -> None:
    item = api.tests["shop"] = samples.resource()
    item["spec"]["run"]["suspend"] = True
    samples.finish(item)
    assert shell("wait", "shop").code == 0


def test_run_asks_by_the_annotation_and_takes_only_the_new_verdict(api: Api, begin: Begin) -> None:
    item = api.tests["shop"] = _ended(Verdict.PASS)
    ending = begin("run", "shop")
    asked = item["metadata"]["annotations"][RERUN_ANNOTATION]
    assert asked.endswith("Z")
    assert len(asked) == len("2026-11-22T18:40:11.123456789Z")
    api.change("shop", lambda item: samples.start(item, "r2"))
    api.change("shop", lambda item: samples.finish(item, samples.BREACHES, run="r2"))
    assert ending.result(10).code == 1


def test_run_does_not_take_the_old_verdict_where_somebody_takes_the_annotation_away(api: Api, begin: Begin) -> None:
    item = api.tests["shop"] = _ended(Verdict.PASS)
    ending = begin("run", "shop")
    del item["metadata"]["annotations"]
    api.change("shop", lambda item: None)
    api.change("shop", lambda item: samples.start(item, "r2"))
    api.change("shop", lambda item: samples.finish(item, samples.BREACHES, run="r2"))
    assert ending.result(10).code == 1


def test_run_may_return_at_once(api: Api, shell: Shell) -> None:
    item = api.tests["shop"] = _ended(Verdict.PASS)
    ended = shell("run", "shop", "--no-wait")
    assert (ended.code, ended.out) == (0, "")
    assert item["metadata"]["annotations"][RERUN_ANNOTATION]


def test_every_run_asked_for_is_another_one(api: Api, shell: Shell) -> None:
    item = api.tests["shop"] = _ended(Verdict.PASS)
    seen = set()
    for _ in range(3):
        shell("run", "shop", "--no-wait")
        seen.add(item["metadata"]["annotations"][RERUN_ANNOTATION])
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("edit", "refuse", "due"),
    [
        pytest.param(lambda item: item["spec"]["run"].update(suspend=True), {}, "is suspended", id="suspended"),
        pytest.param(_contradict, {}, "cannot run", id="invalid"),
        pytest.param(lambda item: None, {"apply": 403}, "not allowed", id="forbidden"),
        pytest.param(lambda item: None, {"apply": 409}, "was deleted meanwhile", id="replaced"),
    ],
)
def test_run_asks_for_nothing_that_cannot_be(
    api: Api, shell: Shell, edit: Callable[[samples.Object], object], refuse: dict[str, int], due: str
) -> None:
    item = api.tests["shop"] = _ended(Verdict.PASS)
    edit(item)
    before = copy.deepcopy(item["metadata"])
    api.refuse = refuse
    ended = shell("run", "shop")
    assert ended.code == 4
    assert due in ended.err
    assert item["metadata"] == before


def test_a_refused_manifest_may_be_run_again_once_it_is_repaired(api: Api, begin: Begin) -> None:
    item = api.tests["shop"] = samples.resource()
    samples.reject(item, "ManifestsMissing", "ConfigMap shop-manifests is not there")
    ending = begin("run", "shop")
    api.change("shop", lambda item: samples.start(item, "r2"))
    api.change("shop", lambda item: samples.finish(item, run="r2"))
    assert ending.result(10).code == 0


@pytest.mark.parametrize("text", ["5", "soon", "-1s", "", "1.5m"])
def test_a_timeout_that_is_no_duration_ends_with_4(shell: Shell, text: str) -> None:
    ended = shell("wait", "shop", f"--timeout={text}")
    assert ended.code == 4
    assert "write 90s, 5m or 1h30m" in ended.err
