"""What was seen of the world, as plain values. Everything is keyed by revision and pod UID, never by color alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from viridian.api.names import Color
from viridian.api.revision import Revision
from viridian.api.status import CheckResult
from viridian.guards.judge import Judgement
from viridian.guards.shadow_report import ShadowReport

from .drills.seen import DrillView


class FetchFailure(StrEnum):
    """Why a pod's model could not be fetched."""

    CREDENTIALS = "credentials"
    """The store refuses the credentials, or there are none that can be used."""
    NO_ROOM = "no-room"
    """The disk is full."""
    OTHER = "other"


@dataclass(frozen=True)
class Pod:
    """One pod of a color.

    `deaths` counts how often our own containers ended with an error, `death` says how one did last and `died_at` when;
    what the cluster ends is no death. `trouble` is a sentence about why the pod cannot start (an image that cannot be
    pulled, no room on any node), `stuck` one about why it is still there long after it was to be gone;
    `node` is empty before it has one; `fetch_failure` says of what kind the trouble is, where it is the model's fetch.
    """

    uid: str
    revision: str
    ready: bool
    deleting: bool
    deaths: int = 0
    death: str = ""
    trouble: str = ""
    died_at: datetime | None = None
    name: str = ""
    node: str = ""
    stuck: str = ""
    fetch_failure: FetchFailure | None = None


@dataclass(frozen=True)
class Autoscaler:
    """Settings of a HorizontalPodAutoscaler: fewest and most pods, and the target CPU in percent of requests."""

    fewest: int
    most: int
    cpu_percent: int


@dataclass(frozen=True)
class ColorView:
    """One color's Deployment, pods and published endpoints (the UIDs of ready pods behind its Service).

    `has_service` and `has_budget` say that they are there as we made them, `drifted` that somebody edited the
    Deployment; `refusal` is Kubernetes' own sentence about pods that it cannot create (a quota, an admission webhook).
    """

    revision: str | None = None
    replicas: int = 0
    pods: tuple[Pod, ...] = ()
    endpoints: frozenset[str] = frozenset()
    has_service: bool = False
    has_budget: bool = False
    autoscaler: Autoscaler | None = None
    drifted: bool = False
    refusal: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether no pod is left but those that are stuck: they may never go, and serve nobody."""
        return all(pod.stuck for pod in self.pods)

    @property
    def answering(self) -> int:
        """Pods of any revision that are ready and that the gateway can find, or will once their Service is back."""
        found = {pod.uid for pod in self.pods} if not self.has_service else self.endpoints
        return sum(pod.ready and not pod.deleting and pod.uid in found for pod in self.pods)

    def serving(self, revision: str) -> int:
        """Pods of a revision that are ready and that the gateway can find."""
        return sum(
            pod.ready and not pod.deleting and pod.uid in self.endpoints
            for pod in self.pods
            if pod.revision == revision
        )


@dataclass(frozen=True)
class RouteFacts:
    """What matters of whatever carries the weights: its rules, the mark of a rollback, the gateway's refusal.

    Until a gateway has `accepted` it, nobody outside is served. `shadow` is what it has stable's pods mirror: None for
    nothing, empty where its rules do not say the same.

    The last rule is the one that splits the traffic; those before it are pins. Where there is no gateway, the Service
    NAME carries all the weight on the color that it selects.
    """

    rules: tuple[Mapping[Color, int], ...]
    aborted: str | None = None
    problem: str | None = None
    follows_spec: bool = True
    accepted: bool = True
    shadow: str | None = None

    def weight(self, color: Color) -> int:
        """The highest weight that any rule gives to a color, in percent: above 0, users may be on it."""
        return max((rule.get(color, 0) for rule in self.rules), default=0)

    def split(self, color: Color) -> int:
        """The share of a color in the rule that splits the traffic, in percent."""
        return self.rules[-1].get(color, 0) if self.rules else 0

    def gives(self, weights: Mapping[Color, int], pins: Mapping[Color, int], shadow: str | None = None) -> bool:
        """Whether the split and every pin have exactly these weights, and this is what is mirrored."""
        *pinned, split = self.rules or ({},)
        same = dict(split) == dict(weights) and all(dict(rule) == dict(pins) for rule in pinned)
        return same and self.shadow == shadow


class Cover(StrEnum):
    """How much of the candidate's traffic stable can answer."""

    ALL = "All"
    SOME = "Some"
    NONE = "None"
    UNKNOWN = "Unknown"
    """The candidate's pods have not said it yet."""
    UNSAID = "Unsaid"
    """They never will: their serving image is an earlier one, or there is nobody to answer for them."""


@dataclass(frozen=True)
class Evidence:
    """What the metrics say of a rollout.

    `requests` counts completed requests per revision since the rollout began (comparable ones; without a route, direct
    ones), `counted_at` says when a revision last completed one of those, and `moved` when it last completed any
    request, probes and mirrors left out; `reporting` counts the pods whose counters the metrics have right now;
    `fresh_at` is the newest moment of which all pods have reported, `seen_at` the newest of which any pod of a revision
    has; `missing` lists the absolute guards that have too few requests to speak; `trouble` is why the metrics cannot be
    used, as a sentence; `breached_at` is the scrape that completed the evidence against the candidate, `reverted_at`
    when the route's patch was acknowledged; `monitored_since` is when this operator began to look: what it knows
    nothing about, because it was not there, it holds against nobody; `stable_breach` is what a guard found against
    stable while it is kept by the candidate, as a sentence; `cover` is how much stable can answer in the candidate's
    stead, `no_fallback` why not all of it, and `failure` what most of the candidate's failed requests failed with, both
    as sentences. `mirrored` counts the completed copies of stable's requests, by revision; `shadow` is what stable's
    pods say of the candidate's answers to them.
    """

    judgements: tuple[Judgement, ...] = ()
    requests: Mapping[str, int] = field(default_factory=dict)
    reporting: Mapping[str, int] = field(default_factory=dict)
    moved: Mapping[str, datetime] = field(default_factory=dict)
    fresh_at: datetime | None = None
    missing: tuple[str, ...] = ()
    state: str = ""
    trouble: str = ""
    breached_at: datetime | None = None
    reverted_at: datetime | None = None
    counted_at: Mapping[str, datetime] = field(default_factory=dict)
    seen_at: Mapping[str, datetime] = field(default_factory=dict)
    monitored_since: datetime | None = None
    stable_breach: str = ""
    cover: Cover = Cover.UNSAID
    no_fallback: str = ""
    failure: str = ""
    mirrored: Mapping[str, int] = field(default_factory=dict)
    shadow: ShadowReport | None = None


@dataclass(frozen=True)
class CheckView:
    """How the Job of a check of the candidate stands, and what it says, as a sentence with its figures."""

    result: CheckResult
    message: str = ""


@dataclass(frozen=True)
class ApplyFailure:
    """Why the last decision could not be carried out: the name of the error, and a sentence for the user."""

    reason: str
    message: str


@dataclass(frozen=True)
class Observed:
    """All that one decision is made from, beside the spec and the status.

    `lost` names the revisions whose ControllerRevision is gone, and which were read back from their Deployment;
    `highest` is the highest revision number on any pod or ControllerRevision of this name, a deleted predecessor's too;
    `stray_route` is set when a route of ours is left although the spec names no gateway any more; `taken` is a sentence
    about the model that has this one's host and path; `live_settings` says that the pods are told what the spec has for
    them to reload; `checks` are the candidate's, by their names; `kept` is the present look at what a rollback goes
    back to, if its Job exists; `drill` is what was seen of its drills;
    `apply_failure` is what kept the last decision from being carried out.
    """

    generation: int
    colors: Mapping[Color, ColorView]
    revisions: Mapping[str, Revision]
    lost: frozenset[str] = frozenset()
    highest: int = 0
    route: RouteFacts | None = None
    stray_route: bool = False
    stable_service: Color | None = None
    gateway_problem: str | None = None
    taken: str | None = None
    live_settings: bool = True
    command: str = ""
    command_by: str = ""
    evidence: Evidence = Evidence()
    checks: Mapping[str, CheckView] = field(default_factory=dict)
    kept: CheckView | None = None
    apply_failure: ApplyFailure | None = None
    drill: DrillView = field(default_factory=DrillView)


@dataclass(frozen=True)
class Settings:
    """What the operator's own configuration adds to a decision."""

    scrape_interval: timedelta
    smoke: bool = False
    """Whether the smoke check runs where a spec does not say."""

    @property
    def quiet(self) -> timedelta:
        """Counters that have stood still this long are flat; metrics that are older are no basis to go forward on."""
        return 3 * self.scrape_interval
