"""Alerts on serving pods: their metrics, their logs, their files, their memory.

Those on memory and on files need the kubelet's container metrics and kube-state-metrics; without them they are silent.
"""

from datetime import timedelta

from .recording import MODEL, REVISION
from .rule import MODEL_NAME, Alert, Severity

_POD = "{{ $labels.namespace }}/{{ $labels.pod }}"
_OURS = "(-blue|-green)-[a-z0-9]+-[a-z0-9]+"
"""How the names of serving pods end: color, ReplicaSet, pod."""


def alerts() -> tuple[Alert, ...]:
    """Return the alerts."""
    return (
        Alert(
            "ViridianMetricsMissing",
            Severity.WARNING,
            f'count by ({MODEL}) (up{{model!="", model_namespace!=""}} == 0)',
            f"Prometheus cannot scrape pods of {MODEL_NAME}",
            "{{ $value }} pods cannot be scraped. Guards do not see them, and a rollout waits or goes on without them.",
            after=timedelta(minutes=10),
        ),
        Alert(
            "ViridianCountersStandStill",
            Severity.WARNING,
            f"max by ({MODEL}) (time() - viridian_counters_stamp_seconds) > 600",
            f"Counters of {MODEL_NAME} are old",
            "A pod's counters are from {{ $value | humanizeDuration }} ago, or its clock is wrong: guards"
            " cannot compare it.",
            after=timedelta(minutes=5),
        ),
        Alert(
            "ViridianLogRecordsDropped",
            Severity.WARNING,
            f'sum by ({MODEL}, reason) (increase(viridian_log_dropped_total{{reason!~"shutdown|changed"}}[15m])) >= 1',
            f"{MODEL_NAME} loses records of its prediction log",
            "{{ $value | humanize }} records of the last 15 minutes were lost: {{ $labels.reason }}.",
            after=timedelta(minutes=5),
            keep=timedelta(minutes=15),
        ),
        Alert(
            "ViridianTritonCrashes",
            Severity.WARNING,
            f"sum by ({REVISION}) (increase(viridian_model_deaths_total[1h])) >= 2",
            f"Triton crashes under requests to {MODEL_NAME}",
            "It ended {{ $value | humanize }} times within an hour while requests ran. Inputs that cause it"
            " are rejected"
            " for ten minutes.",
        ),
        Alert(
            "ViridianModelFetchFails",
            Severity.WARNING,
            f"""
            sum by (namespace, pod) (
              kube_pod_init_container_status_waiting_reason{{container="fetch", reason=~"CrashLoopBackOff|Error",
                pod=~".+{_OURS}"}}) > 0
            """,
            f"{_POD} cannot fetch its model",
            "Its container `fetch` fails again and again: address, credentials, digest or size.",
            after=timedelta(minutes=5),
        ),
        Alert(
            "ViridianImagePullFails",
            Severity.WARNING,
            f"""
            sum by (namespace, pod) (
              {{__name__=~"kube_pod_container_status_waiting_reason|kube_pod_init_container_status_waiting_reason",
                reason=~"ImagePullBackOff|ErrImagePull|InvalidImageName", pod=~".+{_OURS}",
                container=~"fetch|triton|api"}}) > 0
            """,
            f"The image of {_POD} cannot be pulled",
            "The pod does not start: the image's name, the registry's credentials, or the registry.",
            after=timedelta(minutes=10),
        ),
        Alert(
            "ViridianPodNearMemoryLimit",
            Severity.WARNING,
            f"""
            max by (namespace, pod, container) (
              container_memory_working_set_bytes{{container=~"triton|api", pod=~".+{_OURS}"}}
              / (container_spec_memory_limit_bytes{{container=~"triton|api", pod=~".+{_OURS}"}} > 0)) > 0.9
            """,
            f"{{{{ $labels.container }}}} of {_POD} is near its memory limit",
            "It uses {{ $value | humanizePercentage }} of its limit; beyond it the kernel ends it.",
            after=timedelta(minutes=15),
        ),
    )
