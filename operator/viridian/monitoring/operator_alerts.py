"""Alerts on the operator and on rollouts, from the operator's own metrics; silent where nobody scrapes them."""

from datetime import timedelta

from .recording import MODEL
from .rule import MODEL_NAME, Alert, Severity


def alerts() -> tuple[Alert, ...]:
    """Return the alerts."""
    return (
        Alert(
            "ViridianOperatorWithoutLeader",
            Severity.CRITICAL,
            # The second half: no operator is left, where there was one within a day.
            """
            (sum(viridian_operator_leader)
             or on () count(max_over_time(viridian_operator_leader[1d])) * 0) == 0
            """,
            "No Viridian operator leads",
            "Models are served, but no guard is evaluated and no candidate is rolled back.",
            after=timedelta(minutes=3),
        ),
        Alert(
            "ViridianGuardsNotEvaluated",
            Severity.CRITICAL,
            "max(viridian_operator_tick_age_seconds) > 60",
            "The operator does not evaluate guards",
            "The last evaluation ended {{ $value | humanizeDuration }} ago. Candidates keep their traffic,"
            " whatever they"
            " answer.",
            after=timedelta(minutes=2),
        ),
        Alert(
            "ViridianGuardQueriesFail",
            Severity.WARNING,
            """
            sum(rate(viridian_operator_prometheus_query_seconds_count{purpose="guards", result!="ok"}[5m]))
              / sum(rate(viridian_operator_prometheus_query_seconds_count{purpose="guards"}[5m])) > 0.5
            """,
            "Prometheus does not answer the guards' queries",
            "{{ $value | humanizePercentage }} of the queries fail. Rollouts wait, and failures are not seen.",
            after=timedelta(minutes=5),
        ),
        Alert(
            "ViridianOperatorWritesRefused",
            Severity.WARNING,
            'sum by (verb) (increase(viridian_operator_api_writes_total{result="refused"}[10m])) >= 3',
            "The API server refuses what the operator writes",
            "{{ $value | humanize }} writes ({{ $labels.verb }}) of the last ten minutes were refused: its"
            " role, an admission"
            " policy, or a quota.",
            after=timedelta(minutes=10),
        ),
        Alert(
            "ViridianOperatorErrors",
            Severity.WARNING,
            """
            (sum(increase(viridian_operator_reconcile_seconds_count{result="error"}[15m])) or vector(0))
              + (sum(increase(viridian_operator_tick_seconds_count{result="error"}[15m])) or vector(0)) >= 1
            """,
            "The operator has internal errors",
            "{{ $value | humanize }} passes of the last 15 minutes ended with an error that should not happen;"
            " its log has"
            " details.",
            after=timedelta(minutes=5),
        ),
        Alert(
            "ViridianOperatorBehind",
            Severity.WARNING,
            "max(viridian_operator_queue_oldest_seconds) > 120",
            "The operator is behind its work",
            "A model has waited for {{ $value | humanizeDuration }} for its next pass.",
            after=timedelta(minutes=5),
        ),
        Alert(
            "ViridianNotificationsLost",
            Severity.WARNING,
            "sum by (result)"
            ' (increase(viridian_operator_notifications_total{result=~"failed|dropped|denied"}[15m])) >= 1',
            "Notifications about rollouts do not arrive",
            "{{ $value | humanize }} notifications of the last 15 minutes were lost ({{ $labels.result }}).",
            keep=timedelta(minutes=15),
        ),
        Alert(
            "ViridianOperatorTokenExpires",
            Severity.CRITICAL,
            # The kubelet renews it when a fifth of its time is left, which is 12 minutes of the shortest tokens.
            "min(viridian_operator_token_expiry_timestamp_seconds) - time() < 600",
            "The operator's token is not renewed",
            "It expires in {{ $value | humanizeDuration }}. Then the API server refuses the operator, and no"
            " candidate is rolled back.",
            after=timedelta(minutes=2),
        ),
        Alert(
            "ViridianModelFetchDenied",
            Severity.WARNING,
            f'sum by ({MODEL}) (viridian_operator_fetch_failing_pods{{reason="credentials"}}) > 0',
            f"The store refuses the credentials of {MODEL_NAME}",
            "{{ $value }} pods cannot fetch their model: its credentials are missing, wrong or expired.",
            after=timedelta(minutes=2),
        ),
        Alert(
            "ViridianModelFetchFails",
            Severity.WARNING,
            f'sum by ({MODEL}, reason) (viridian_operator_fetch_failing_pods{{reason!="credentials"}}) > 0',
            f"Pods of {MODEL_NAME} cannot fetch their model",
            '{{ $value }} pods fail again and again{{ if eq $labels.reason "no-room" }}: the disk has no room{{ end }}.'
            " The condition Stalled of the model says why.",
            after=timedelta(minutes=5),
        ),
        # A rollback that worked needs nobody at night, and nobody while its author is at it.
        Alert(
            "ViridianRolledBack",
            Severity.WARNING,
            'max(viridian_operator_models{phase="RolledBack"}) > 0',
            "Models do not run the version that their specs name, because it was rolled back",
            "{{ $value }} models have been in phase RolledBack for an hour. Their users get the version before.",
            after=timedelta(hours=1),
        ),
        Alert(
            "ViridianRolloutExpired",
            Severity.WARNING,
            'max(viridian_operator_models{phase="Expired"}) > 0',
            "Rollouts did not finish before their deadline",
            "{{ $value }} models are in phase Expired: all traffic is on stable, and the candidate starts"
            " again on `retry`.",
            after=timedelta(minutes=15),
        ),
        Alert(
            "ViridianRolloutStuck",
            Severity.WARNING,
            'max by (phase) (viridian_operator_models{phase=~"Held|Stalled|Pending"}) > 0',
            "Rollouts do not get on",
            "{{ $value }} models have been in phase {{ $labels.phase }} for half an hour.",
            after=timedelta(minutes=30),
        ),
        Alert(
            "ViridianRollbackStuck",
            Severity.CRITICAL,
            'max(viridian_operator_models{phase="RollingBack"}) > 0',
            "A rollback does not finish",
            "{{ $value }} models have been rolling back for ten minutes; that takes seconds.",
            after=timedelta(minutes=10),
        ),
    )
