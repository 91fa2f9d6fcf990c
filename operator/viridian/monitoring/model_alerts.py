"""Alerts on what a model's users get, beside its objectives."""

from datetime import timedelta

from .recording import MODEL, REVISION
from .rule import MODEL_NAME, Alert, Severity


def alerts() -> tuple[Alert, ...]:
    """Return the alerts."""
    return (
        Alert(
            "ViridianModelAnswersNothing",
            Severity.CRITICAL,
            """
            model:viridian_errors:rate5m > 0
              and model:viridian_errors:rate5m >= 0.999 * model:viridian_requests:rate5m
              and model:viridian_errors:rate5m * 300 >= 5
            """,
            f"No request to {MODEL_NAME} is answered",
            "Every request of the last five minutes failed ({{ $value | humanize }} per second).",
            after=timedelta(minutes=2),
        ),
        Alert(
            "ViridianModelNotReady",
            Severity.CRITICAL,
            f"sum by ({MODEL}) (viridian_ready) == 0",
            f"{MODEL_NAME} has no ready pod",
            "Its pods run, and none of them is ready: requests fail at the gateway, where no metric of a pod"
            " counts them.",
            after=timedelta(minutes=10),
        ),
        Alert(
            "ViridianModelFailing",
            Severity.WARNING,
            f"sum by ({REVISION}) (viridian_model_failing) > 0",
            f"The model of {{{{ $labels.revision }}}} in {MODEL_NAME} has stopped answering",
            "In {{ $value }} pods the model does not answer the pod's own trial inputs. Stable answers for it"
            " where it can.",
            after=timedelta(minutes=5),
        ),
        Alert(
            "ViridianStableAnswersForModel",
            Severity.WARNING,
            """
            revision:viridian_rescues:rate5m / (revision:viridian_requests:rate5m > 0) > 0.01
              and sum_over_time(revision:viridian_rescues:rate5m[15m:5m]) * 300 >= 5
            """,
            f"Stable answers requests that {{{{ $labels.revision }}}} of {MODEL_NAME} fails",
            "{{ $value | humanizePercentage }} of its requests are answered by stable in its place: users are"
            " spared, and"
            " the revision is still wrong.",
            after=timedelta(minutes=10),
        ),
        Alert(
            "ViridianFallbackFails",
            Severity.WARNING,
            f"sum by ({REVISION}) (increase(viridian_rescues_failed_total[10m])) >= 5",
            f"Stable cannot answer for {{{{ $labels.revision }}}} of {MODEL_NAME}",
            "{{ $value | humanize }} requests of the last ten minutes failed in the model, and again at stable.",
            after=timedelta(minutes=5),
        ),
        Alert(
            "ViridianStableHasOnePod",
            Severity.WARNING,
            # Which revision is stable is what its own pods say. Fewer pods for less traffic are an autoscaler's.
            f"""
            (sum by ({REVISION}) (viridian_ready * on ({REVISION}, pod_uid)
                group_left () (viridian_fallback_available{{covers="self"}} * 0 + 1)) == 1)
              and max_over_time((sum by ({REVISION}) (viridian_ready))[1h:1m]) > 1
              and on ({MODEL}) model:viridian_requests:rate5m > 0.5 * avg_over_time(model:viridian_requests:rate5m[1h])
            """,
            f"Stable of {MODEL_NAME} is down to one pod",
            "{{ $labels.revision }} had more ready pods within the last hour. If this one goes, nobody is answered.",
            after=timedelta(minutes=15),
        ),
        Alert(
            "ViridianQueueFull",
            Severity.WARNING,
            f'sum by ({REVISION}) (increase(viridian_failures_total{{type=~"queue-full|no-room|busy"}}[5m])) > 5',
            f"Pods of {MODEL_NAME} refuse requests because they are full",
            "{{ $value | humanize }} requests of the last five minutes found the queue, or the memory for"
            " bodies, full.",
            after=timedelta(minutes=5),
        ),
        Alert(
            "ViridianQueueSlow",
            Severity.WARNING,
            f"""
            sum by ({REVISION}) (rate(viridian_queue_seconds_sum[10m]))
              / sum by ({REVISION}) (rate(viridian_queue_seconds_count[10m])) > 0.25
            """,
            f"Requests to {MODEL_NAME} wait for a call to the model",
            "They wait for {{ $value | humanizeDuration }} on average: {{ $labels.revision }} has too few"
            " pods, or too little"
            " CPU.",
            after=timedelta(minutes=15),
        ),
    )
