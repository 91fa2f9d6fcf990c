"""What users may ask for, as Hypothesis draws it."""

import hypothesis.strategies as st
from tests.rollout.world import spec_for

from viridian.api.spec import ModelDeploymentSpec

VERSIONS = ("v1.0.0", "v2.0.0", "v3.0.0")

CACHES = st.sampled_from([{}, {}, {"cache": {"ttl": "30s"}}])
CPU = {"resources": {"requests": {"cpu": "100m"}}}
SERVINGS = st.one_of(
    st.integers(1, 4).map(lambda replicas: {"replicas": replicas, "triton": CPU, "api": CPU}),
    st.integers(1, 3).map(
        lambda fewest: {"autoscaling": {"minReplicas": fewest, "maxReplicas": 4}, "triton": CPU, "api": CPU}
    ),
)
PINS = [{"matches": [{"headers": [{"name": "x-user-group", "value": "beta"}]}]}]
GATEWAY = [{"name": "public"}]
TRAFFICS = st.sampled_from([{"parentRefs": GATEWAY}, {"parentRefs": GATEWAY, "pins": PINS}, {}])
APPROVALS = ("None", "None", "BeforeTraffic", "BeforePromotion", "WithoutFallback")
"""The last one needs a gateway: nobody answers for a candidate without one."""
SHADOWS = st.sampled_from(
    [[], [{"shadow": "10%", "hold": "10s"}], [{"shadow": "0.5%", "hold": "4s"}, {"shadow": "60%", "hold": "10s"}]]
)
POLICIES = st.sampled_from(["Hold", "Rollback"])
WATCHES = st.sampled_from([{}, {"watch": {"duration": "1m", "holdback": 2}}, {"watch": {"duration": "1h"}}])
CHECKS = st.sampled_from(
    [
        {},
        {},
        {"smoke": True},
        {"golden": {}, "jobs": [{"name": "contract"}], "replay": {"uri": "pvc://logs/iris/"}},
        {"smoke": True, "kept": {"every": "24h"}},
    ]
)


@st.composite
def specs(draw: st.DrawFn) -> ModelDeploymentSpec:
    """What a user may ask for."""
    traffic = draw(TRAFFICS)
    kind = draw(st.sampled_from(["Canary", "BlueGreen"])) if traffic else "BlueGreen"
    shadows = draw(SHADOWS) if kind == "Canary" else []
    rollout = {
        "type": kind,
        "approval": draw(st.sampled_from(APPROVALS if traffic else APPROVALS[:-1])),
        "steps": [*shadows, {"weight": 10, "hold": "10s"}, {"weight": 50, "hold": "10s", "minRequests": 20}],
        "bake": {"duration": "20s", "holdback": 5} | (draw(WATCHES) if traffic else {}),
        "deadline": "10m",
        "drainMax": "30s",
    }
    guards = {
        "latency": draw(st.sampled_from([[], [{"percentile": "95", "max": "200ms"}]])),
        "metricsMissing": {"after": "1m", "then": draw(POLICIES)},
        "noTraffic": {"after": "1m", "then": draw(POLICIES)},
    }
    version, serving = draw(st.sampled_from(VERSIONS)), draw(SERVINGS) | draw(CACHES)
    return spec_for(version, serving=serving, traffic=traffic, rollout=rollout, guards=guards, checks=draw(CHECKS))
