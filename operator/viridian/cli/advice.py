"""What to do about a reason, in a sentence, and where the troubleshooting guide says more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

GUIDE: Final = "docs/guides/troubleshooting.md"
_PODS, _TRAFFIC, _ENDS, _OWNERS = (
    "guards-and-pods",
    "traffic-and-metrics",
    "how-a-rollout-ends",
    "ownership-and-api-errors",
)
_HOLDS: Final = "docs/explanation/rollouts.md#approval-and-pause"


@dataclass(frozen=True)
class Advice:
    """What to do, with `{name}` for the model and its namespace, as arguments; `link` is a page and its heading.

    `again` says that the same version may be tried once more, where it was blocked.
    """

    do: str
    link: str
    again: bool = False


def _advice(section: str, do: str, *, again: bool = False) -> Advice:
    return Advice(do, f"{GUIDE}#{section}", again)


ADVICE: Final[Mapping[str, Advice]] = {
    "GuardBreached": _advice(_PODS, "correct the model and apply another version", again=True),
    "ChecksFailed": _advice(_PODS, "correct the model or its golden.jsonl and apply another version", again=True),
    "CheckCannotRun": _advice(_PODS, "put right what the message names; delete the Job if it has given up"),
    "PodsCrash": _advice(
        _PODS,
        "correct the model or its limits by what the message quotes; while a pod is there, `kubectl viridian logs"
        " {name}` has more",
    ),
    "PodsCannotStart": _advice(
        "pods-that-do-not-start",
        "correct what the message names; where no node has room, lower the requests of serving.triton.resources and"
        " serving.api.resources, or add nodes",
    ),
    "PodStuckTerminating": _advice(
        _PODS, "bring the pod's node back, or delete the pod by force if it is gone for good"
    ),
    "PodsNotReady": _advice(_PODS, "look at stable's pods: `kubectl get pods -l viridian.dev/model={name}`"),
    "StableUnavailable": _advice(_PODS, "bring stable's pods back, or apply a version that works"),
    "CandidateUnavailable": _advice(_PODS, "look at its pods: `kubectl get pods -l viridian.dev/model={name}`"),
    "AbortWaits": _advice(_PODS, "bring stable's pods back; the candidate goes back as soon as one is ready"),
    "NotRouted": _advice(_PODS, "wait; if it stays, check that the controller of the Gateway runs"),
    "NoFallback": _advice(_PODS, "start with a small weight, or set rollout.approval: WithoutFallback"),
    "SharedIncident": _advice(_PODS, "look at what both versions share: data, network, nodes. It goes on by itself"),
    "GatewayNotFound": _advice(_TRAFFIC, "create the Gateway, or correct spec.traffic.parentRefs"),
    "RouteRefused": _advice(_TRAFFIC, "correct the listener's allowedRoutes, or spec.traffic.hostnames"),
    "RouteTaken": _advice(_TRAFFIC, "choose another path or host name, or delete the older model"),
    "CandidateUnreached": _advice(_TRAFFIC, "check the gateway's controller and NetworkPolicies. It goes on by itself"),
    "NoTraffic": _advice(_TRAFFIC, "send requests through the gateway; check host and path"),
    "MetricsMissing": _advice("no-metrics", "check that Prometheus runs and scrapes the serving pods"),
    "Aborted": _advice(_ENDS, "apply another version, or `kubectl viridian retry {name}`"),
    "RolledBackByCommand": _advice(_ENDS, "correct the spec, or `kubectl viridian retry {name}` to bring it back"),
    "DeadlineExceeded": _advice(
        _ENDS, "put right what it still waited for, or raise rollout.deadline; then `kubectl viridian retry {name}`"
    ),
    "RevisionLost": _advice(_ENDS, "apply the version that you want"),
    "TookOver": _advice(_ENDS, "look at the version that serves: nothing has judged it next to another one"),
    "ForeignChild": _advice(_OWNERS, "delete the object that the message names, or rename the model"),
    "BrokenChild": _advice(_OWNERS, "do as the message says"),
    "InvalidSpec": _advice(_OWNERS, "correct the fields that the message names, and apply the manifest again"),
    "NotAsWritten": _advice(_OWNERS, "find who changes the object in its managedFields, and make that leave it alone"),
    "ArtifactMissing": _advice(_OWNERS, "restore the files that the message names: a rollback would not find them"),
    "NotVerified": _advice(_OWNERS, "do as the message says: a rollback would meet the same obstacle"),
    "Unavailable": _advice(_OWNERS, "look for an admission webhook without endpoints. It goes on by itself"),
    "Refused": _advice(_OWNERS, "do as the message says; the operator tries again"),
    "NotificationFailed": _advice(
        _OWNERS, "correct the address or its Secret, or ask for `notifications.allowedHosts`; rollouts go on"
    ),
    "ValueError": _advice(_OWNERS, "correct what the message names"),
    "AwaitingApproval": Advice(
        "`kubectl viridian approve {name}` to let it go on, `kubectl viridian abort {name}` to take it back", _HOLDS
    ),
    "Paused": Advice("`kubectl viridian resume {name}`", _HOLDS),
}
"""By the reasons of conditions, holds and rollbacks. Those with which nothing has to be done have none."""
