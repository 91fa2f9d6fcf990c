"""The prediction log, and what Prometheus reads of the pods."""

from .panels import CHOSEN, MODEL, NAMESPACE, Board, Panel, Query, Row, Unit


def board() -> Board:
    """Return the dashboard."""
    return Board(
        "viridian-telemetry",
        "Viridian / Prediction log and telemetry",
        (
            Row(
                "Prediction log",
                (
                    _panel(
                        "Records delivered",
                        Unit.EACH_SECOND,
                        f"sum by (revision) (rate(viridian_log_records_total{{{CHOSEN}}}[5m]))",
                        "{{revision}}",
                    ),
                    _panel(
                        "Records lost",
                        Unit.EACH_SECOND,
                        f"sum by (reason) (rate(viridian_log_dropped_total{{{CHOSEN}}}[5m]))",
                        "{{reason}}",
                    ),
                    _panel(
                        "Waiting to be delivered",
                        Unit.BYTES,
                        f"max by (revision) (viridian_log_queue_bytes{{{CHOSEN}}})",
                        "{{revision}}",
                    ),
                ),
            ),
            Row(
                "Scrapes",
                (
                    _panel(
                        "Age of the counters",
                        Unit.SECONDS,
                        f"max by (revision) (time() - viridian_counters_stamp_seconds{{{CHOSEN}}})",
                        "{{revision}}",
                    ),
                    _panel("Pods that are scraped", Unit.NUMBER, f"sum by (revision) (up{{{CHOSEN}}})", "{{revision}}"),
                    _panel(
                        "Samples of a scrape",
                        Unit.NUMBER,
                        f"max by (revision) (scrape_samples_scraped{{{CHOSEN}}})",
                        "{{revision}}",
                    ),
                ),
            ),
            Row(
                "Feedback",
                (
                    _panel(
                        "Labels by result",
                        Unit.EACH_SECOND,
                        f"sum by (revision, result) (rate(viridian_feedback_total{{{CHOSEN}}}[5m]))",
                        "{{revision}} {{result}}",
                    ),
                ),
            ),
        ),
        (NAMESPACE, MODEL),
    )


def _panel(title: str, unit: Unit, expr: str, legend: str) -> Panel:
    return Panel(title, unit, (Query(expr, legend),))
