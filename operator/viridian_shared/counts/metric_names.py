"""The series of a pod that the operator reads. docs/reference/metrics.md says what they hold."""

from typing import Final

IDENTITY: Final = ("model_namespace", "model", "revision", "pod_uid")
"""The labels that every series of a pod has."""

REQUESTS: Final = "viridian_requests_total"
DURATIONS: Final = "viridian_request_duration_seconds"
"""A histogram, with the bounds of the latency grid."""
STAMP: Final = "viridian_counters_stamp_seconds"
STARTED: Final = "viridian_counters_started_seconds"
FALLBACK: Final = "viridian_fallback_available"
FAILURES: Final = "viridian_failures_total"
SHADOW: Final = "viridian_shadow_total"
"""Of stable's pods: mirrored requests by candidate and by what became of them."""
SHADOW_DIFFERENCES: Final = "viridian_shadow_difference"
"""Of stable's pods: a histogram of how far the numbers of two answers to one input are apart."""
SHADOW_DURATIONS: Final = "viridian_shadow_duration_seconds"
"""Of stable's pods: a histogram of how long a mirrored request took, with the label `role`: stable or candidate."""
PREDICTIONS: Final = "viridian_predictions_total"
CONFIDENCE: Final = "viridian_prediction_confidence"
VALUES: Final = "viridian_prediction_value"
NOT_FINITE: Final = "viridian_predictions_not_finite_total"
COHORTS: Final = "viridian_feedback_cohort_total"
"""Predictions with feedback, by the revision that predicted and by their age."""

DRIFT_OBSERVED: Final = "viridian_drift_observed_total"
"""Values of users' requests on the bins of the baseline, with the labels `kind`, `variable` and `bin`."""
DRIFT_BASELINE: Final = "viridian_drift_baseline_values"
"""Values of the baseline in a bin, with the same labels."""
