"""Reasons of conditions and events. They are API: users match on them."""

from __future__ import annotations

from typing import Final

# verdicts
ALL_CASES_PASSED: Final = "AllCasesPassed"
"""Every case passed."""
CASES_FAILED: Final = "CasesFailed"
"""At least one Breach or Lockout."""
ADVISORY_FAILURES: Final = "AdvisoryFailures"
"""At least one Breach or Lockout, under gate Advisory."""
INCONCLUSIVE: Final = "Inconclusive"
"""At least one refusal that cannot be put down to the policy."""
CASES_ERRORED: Final = "CasesErrored"
"""At least one case could not be tried or its facts are missing."""
NO_CASES: Final = "NoCases"
"""The declaration calls for no case at all; nothing is proven."""

# the tool's own proof
CANARY_MISSED: Final = "CanaryMissed"
"""A known hole was not found: the run proves nothing."""
POLICY_NOT_ENFORCED: Final = "PolicyNotEnforced"
"""The network plugin did not enforce a NetworkPolicy of our own."""
IMPOTENT_FORGERY: Final = "ImpotentForgery"
"""A forgery would not have fooled even a weakened verifier."""

# infrastructure
IMAGE_PULL_FAILED: Final = "ImagePullFailed"
"""A container's image cannot be had."""
POD_CRASHED: Final = "PodCrashed"
"""A container of a workload keeps failing."""
POD_UNSCHEDULABLE: Final = "PodUnschedulable"
"""No node takes a pod of the sandbox."""
POD_EVICTED: Final = "PodEvicted"
"""A pod of the sandbox was evicted or killed."""
QUOTA_EXCEEDED: Final = "QuotaExceeded"
"""The sandbox's quota does not suffice."""
WORKLOAD_NOT_READY: Final = "WorkloadNotReady"
"""A workload did not become ready in time."""
TARGET_NOT_READY: Final = "TargetNotReady"
"""A boundary's Service has no ready pod."""
SANDBOX_LOST: Final = "SandboxLost"
"""Part of the sandbox was deleted during the run."""
PROBE_FAILED: Final = "ProbeFailed"
"""A probe did not start or stopped before its time."""
PROBE_REPORT_INVALID: Final = "ProbeReportInvalid"
"""A probe's output is not what a probe of this run prints."""
RUN_TIMEOUT: Final = "RunTimeout"
"""The run took longer than spec.run.timeout."""
RUN_LOST: Final = "RunLost"
"""The operator stopped too often during this run."""
API_UNAVAILABLE: Final = "ApiUnavailable"
"""The Kubernetes API refused or did not answer."""
INTERNAL_ERROR: Final = "InternalError"
"""A bug of the operator; its log has the details."""

# the author's
INVALID_SPEC: Final = "InvalidSpec"
"""The spec contradicts itself or names what it does not declare."""
MANIFEST_INVALID: Final = "ManifestInvalid"
"""A manifest cannot be used: not YAML, a kind that is not allowed, another namespace, an unknown name."""
MANIFEST_REFUSED: Final = "ManifestRefused"
"""The API server or its admission refused a manifest."""
MANIFESTS_MISSING: Final = "ManifestsMissing"
"""A ConfigMap with manifests does not exist."""

# lifecycle
QUEUED: Final = "Queued"
"""Waiting for a free place among the running tests."""
RUNNING: Final = "Running"
"""A run is under way."""
SUSPENDED: Final = "Suspended"
"""spec.run.suspend is set."""
IDLE: Final = "Idle"
"""No run is under way."""

RETRYABLE: Final = frozenset({API_UNAVAILABLE, POD_EVICTED, SANDBOX_LOST})
"""What is worth another attempt in a fresh sandbox: the world moved, nothing in the test did."""
