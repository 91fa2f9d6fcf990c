"""Alerts on serving pods: their metrics, logs, images, memory, disks, connections and certificates.

Those on memory, images and claims need the kubelet's metrics and kube-state-metrics; without them they are silent.
"""

from datetime import timedelta
from typing import Final

from viridian.workloads.model_cache import CACHE_VOLUME

from .recording import MODEL, REVISION
from .rule import MODEL_NAME, Alert, Severity

_POD = "{{ $labels.namespace }}/{{ $labels.pod }}"
_OURS = "(-blue|-green)-[a-z0-9]+-[a-z0-9]+"
"""How the names of serving pods end: color, ReplicaSet, pod."""
_DISK: Final = 0.12
"""Share of a node's disk: below where the kubelet begins to remove images (15 %), above where it evicts pods (10 %)."""
_CACHE: Final = 0.05
"""The cache is meant to fill up to its `maxSize`, and its claim should be larger than that."""
_EXPIRES: Final = 14 * 24 * 3600
"""Seconds."""


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
        Alert(
            "ViridianDiskNearlyFull",
            Severity.WARNING,
            f"min by ({MODEL}, folder) (viridian_disk_free_bytes / viridian_disk_size_bytes) < {_DISK}",
            f"The disk of a pod of {MODEL_NAME} is nearly full",
            "{{ $value | humanizePercentage }} of the disk below its folder `{{ $labels.folder }}` are free. A full"
            " disk lets no model be fetched, and the kubelet evicts pods.",
            after=timedelta(minutes=10),
        ),
        Alert(
            "ViridianModelCacheNearlyFull",
            Severity.WARNING,
            f"""
            min by (namespace, persistentvolumeclaim) (
              kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes
              and on (namespace, persistentvolumeclaim)
                kube_pod_spec_volumes_persistentvolumeclaims_info{{volume="{CACHE_VOLUME}", pod=~".+{_OURS}"}}
            ) < {_CACHE}
            """,
            "The cache of models in {{ $labels.namespace }} is nearly full",
            "{{ $value | humanizePercentage }} of claim {{ $labels.persistentvolumeclaim }} are free. What has no"
            " room is fetched by each pod anew.",
            after=timedelta(hours=1),
        ),
        Alert(
            "ViridianConnectionsNearLimit",
            Severity.WARNING,
            f"""
            max by ({MODEL}) (process_open_fds{{model!="", model_namespace!=""}}
              / process_max_fds{{model!="", model_namespace!=""}}) > 0.8
            """,
            f"A pod of {MODEL_NAME} has nearly as many connections as it may",
            "{{ $value | humanizePercentage }} of the connections and files that the process may have are open; beyond"
            " them, new connections are not accepted.",
            after=timedelta(minutes=5),
        ),
        Alert(
            "ViridianCertificateExpires",
            Severity.WARNING,
            f"""
            min by ({MODEL}) (viridian_log_certificate_expiry_timestamp_seconds) - time() < {_EXPIRES}
              or min(viridian_operator_authority_expiry_timestamp_seconds) - time() < {_EXPIRES}
            """,
            "A certificate expires soon:"
            f" {{{{ with $labels.model }}}}of the prediction log of {MODEL_NAME}{{{{ else }}}}of the cluster's"
            " authority{{ end }}",
            "It is valid for another {{ $value | humanizeDuration }}. After that, connections that rely on it fail.",
            after=timedelta(hours=1),
        ),
    )
