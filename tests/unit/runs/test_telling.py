"""What is written outside of sandboxes: bounded, owned by the test, and never louder than it must be."""

from __future__ import annotations

import base64
import gzip
import json
import random
from typing import Any

import pytest

from tests.unit.support import parsed, resource
from zerotrust.api.status import Result, Status, Summary, Verdict
from zerotrust.core.report import Outcome
from zerotrust.runs.telling import MAX_RESULTS_BYTES, Event, event_object, results_map, status_object, verdict_event


def came_out(count: int, noise: int = 0) -> Outcome:
    chance = random.Random(7)
    results = tuple(
        Result(
            id=f"web/mtls/{n}/ann",
            verdict=Verdict.BREACH,
            message="".join(chance.choices("abcdefghijklmnop", k=noise)),
            milliseconds=1.5,
        )
        for n in range(count)
    )
    return Outcome(Verdict.FAIL, "CasesFailed", "x", results, Summary(total=count, breaches=count))


def unpacked(item: dict[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(item["binaryData"]["results.json.gz"])))
    return loaded


def test_all_results_of_a_run_are_kept_with_the_test() -> None:
    item = results_map(parsed(), "r1", came_out(3))

    assert item["metadata"]["name"] == "shop-results"
    assert item["metadata"]["ownerReferences"][0]["uid"] == "0f0e"
    whole = unpacked(item)
    assert (whole["test"], whole["run"], whole["verdict"], whole["truncated"]) == ("team/shop", "r1", "Fail", False)
    assert [result["id"] for result in whole["results"]] == [f"web/mtls/{n}/ann" for n in range(3)]


def test_results_that_do_not_fit_are_cut_from_the_end_and_it_is_said() -> None:
    item = results_map(parsed(), "r1", came_out(2000, noise=400))
    whole = unpacked(item)

    assert len(json.dumps(item)) <= MAX_RESULTS_BYTES + 1000
    assert whole["truncated"] is True
    assert whole["results"][0]["id"] == "web/mtls/0/ann"
    assert whole["summary"]["breaches"] == 2000


def test_the_same_results_are_the_same_bytes() -> None:
    assert results_map(parsed(), "r1", came_out(9)) == results_map(parsed(), "r1", came_out(9))


@pytest.mark.parametrize(
    ("verdict", "before", "event"),
    [
        (Verdict.PASS, None, ("Normal", "RunPassed")),
        (Verdict.PASS, Verdict.PASS, None),
        (Verdict.PASS, Verdict.FAIL, ("Normal", "RunPassed")),
        (Verdict.FAIL, None, ("Warning", "RunFailed")),
        (Verdict.FAIL, Verdict.PASS, ("Warning", "RunFailed")),
        (Verdict.FAIL, Verdict.FAIL, None),
        (Verdict.ERROR, Verdict.PASS, ("Warning", "RunErrored")),
        (Verdict.INCONCLUSIVE, Verdict.PASS, ("Warning", "RunErrored")),
    ],
)
def test_events_are_about_changes_only(verdict: Verdict, before: Verdict | None, event: tuple[str, str] | None) -> None:
    found = verdict_event(Outcome(verdict, "Reason", "message"), before)

    assert (found and (found.type, found.reason)) == event


def test_an_event_fits_the_api_and_is_about_the_test() -> None:
    item = event_object(resource(), Event("Warning", "RunFailed", "m" * 5000), "2027-03-31T12:00:00Z")

    assert len(item["message"]) <= 1024
    assert item["involvedObject"]["uid"] == "0f0e"
    assert item["metadata"]["namespace"] == item["involvedObject"]["namespace"] == "team"
    assert item["metadata"]["name"].startswith("shop.")


def test_a_status_is_kept_off_a_namesake() -> None:
    item = status_object(resource(), Status())

    assert item["metadata"] == {"name": "shop", "namespace": "team", "uid": "0f0e"}
    assert item["status"] == {"observedGeneration": -1, "results": [], "history": [], "conditions": []}
