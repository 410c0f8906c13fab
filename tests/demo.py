"""`make demo`: run it, watch it fail, fix it, run it again - on a real cluster, a real gateway, real policies."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import yaml

from tests.harness import installation, kubectl
from tests.harness.kubectl import Object
from tests.harness.system import KIND, SYSTEMS, System, summary

NAMESPACE = "team-shop"
POLICIES = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: callers-reach-orders}
spec:
  podSelector: {matchLabels: {app: orders}}
  policyTypes: [Ingress]
  ingress:
    - from:
CALLERS
      ports: [{port: 8443}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: callers-leave}
spec:
  podSelector: {matchExpressions: [{key: app, operator: In, values: [checkout, reporting]}]}
  policyTypes: [Egress]
  egress:
    - to: [{podSelector: {matchLabels: {app: orders}}}]
      ports: [{port: 8443}]
"""
RIGHT = "        - podSelector: {matchExpressions: [{key: app, operator: In, values: [checkout, reporting]}]}"
WRONG = "        - namespaceSelector: {}"


def say(text: str = "") -> None:
    """One line, at once."""
    print(text, flush=True)


def shop(callers: str) -> System:
    """The gateway with policies of its own, so that one of them can be wrong."""
    system = System.load(SYSTEMS / "gateway", NAMESPACE)
    system.test["spec"]["sandbox"]["zones"][0]["networkPolicies"] = "Provided"
    system.manifests["policies.yaml"] = POLICIES.replace("CALLERS", callers)
    yaml.safe_load_all(system.manifests["policies.yaml"])
    return system


def step(title: str, system: System, trigger: str, wanted: str) -> Object:
    """Apply, show progress until there is a verdict, show the verdict. Errors: SystemExit if it is not the wanted."""
    say(f"\n== {title}")
    say(f"   {trigger}")
    before = run_id(system)
    system.apply()
    if before:
        token = f"zerotrust.dev/rerun-requested-at={time.time_ns()}"
        kubectl.kubectl("annotate", "--overwrite", KIND, system.test_name, "-n", NAMESPACE, token)
    done = threading.Event()
    watcher = threading.Thread(target=progress, args=(system, before, done), daemon=True)
    watcher.start()
    status = system.verdict(within=180, after=before)
    done.set()
    watcher.join(timeout=5)
    tell(status)
    if status["verdict"] != wanted:
        say(f"   expected {wanted}: {summary(status)}")
        raise SystemExit(1)
    return status


def run_id(system: System) -> str:
    """The id of the last run, empty before the first."""
    found = kubectl.get(KIND, system.test_name, NAMESPACE) or {}
    return str(found.get("status", {}).get("run", {}).get("id", ""))


def progress(system: System, before: str, done: threading.Event) -> None:
    """Print each phase once, with the seconds it came after."""
    started, last = time.monotonic(), ""
    while not done.wait(0.2):
        status = system.resource().get("status", {})
        phase = str(status.get("phase", "Pending"))
        if status.get("run", {}).get("id", "") != before and phase != last and phase != "Complete":
            say(f"   {time.monotonic() - started:5.1f} s  {phase}")
            last = phase


def tell(status: Object) -> None:
    """The verdict, the counts and what is wrong."""
    say(f"   {status['run']['durationSeconds']:5.1f} s  {status['verdict'].upper()}: {status['history'][0]['summary']}")
    for result in status["results"]:
        if result["verdict"] in ("Breach", "Lockout", "Error", "Inconclusive"):
            say(f"            {result['verdict']}  {result['id']}")
            say(f"                    {result['message']}")


def main() -> int:
    """The whole loop."""
    if not (Path.cwd() / "tests" / "demo.py").exists():
        say("run me from the top of the checkout: make demo")
        return 2
    say("Installing the operator with Helm ...")
    installation.install()
    kubectl.delete(KIND, "shop", NAMESPACE)
    step(
        "A healthy shop",
        shop(RIGHT),
        "Envoy checks certificates, tokens and routes in front of `orders`; policies admit checkout and reporting.",
        "Pass",
    )
    status = step(
        "Somebody opens one NetworkPolicy",
        shop(WRONG),
        "`from: podSelector checkout, reporting` becomes `from: namespaceSelector: {}`: any pod of the cluster.",
        "Fail",
    )
    breaches = [result["id"] for result in status["results"] if result["verdict"] == "Breach"]
    step("Fixed, and run again", shop(RIGHT), "The policy as it was.", "Pass")
    say(f"\nThe open policy was found as {', '.join(breaches)}; everything else still held.")
    tool = Path(sys.executable).with_name("zerotrust")
    commands = {
        'eval "$(tests/cluster/cluster.sh env)"': "kubectl and helm for this cluster",
        f"kubectl -n {NAMESPACE} get ztt shop -o wide": "verdict, reason, duration",
        f"kubectl -n {NAMESPACE} describe ztt shop": "every condition, result and event",
        f"{tool} report shop -n {NAMESPACE}": "identities x boundaries; failures with their remedy",
        "make cluster-down": "when you are done",
    }
    say("\nWhere to look now:")
    for command, why in commands.items():
        say(f"  {command}\n      {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
