"""What came of a model's predictions, and what they cost: rows of its dashboard."""

from .panels import CHOSEN, Kind, Panel, Query, Row, Unit

_BY_REVISION = "{{revision}}"


def outcomes() -> Row:
    """Return the row on what was reported by `POST /feedback`."""
    feedback = "revision:viridian_feedback"
    return Row(
        "Outcomes",
        (
            _lines("Accuracy of a week", Unit.SHARE, f"revision:viridian_accuracy:ratio7d{{{CHOSEN}}}"),
            _lines(
                "Predictions with a known truth, of a week",
                Unit.SHARE,
                f"{feedback}_coverage:ratio7d{{{CHOSEN}}}",
                description="The accuracy is that of these alone. Truth that comes late is counted when it comes.",
            ),
            Panel(
                "Age of feedback",
                Unit.SECONDS,
                (
                    Query(f"{feedback}_age:avg7d{{{CHOSEN}}}", "{{revision}}, when it came"),
                    Query(
                        "time() - max by (revision)"
                        f" (max_over_time(viridian_feedback_last_timestamp_seconds{{{CHOSEN}}}[7d]))",
                        "{{revision}}, since the last",
                    ),
                ),
            ),
            _lines(
                "Distance from the truth, of a week",
                Unit.NUMBER,
                f"revision:viridian_absolute_error:avg7d{{{CHOSEN}}}",
            ),
            _lines("Accepted, of a week", Unit.SHARE, f"revision:viridian_accepted:ratio7d{{{CHOSEN}}}"),
            _lines(
                "Value of a prediction, of a week",
                Unit.NUMBER,
                f"revision:viridian_value:avg7d{{{CHOSEN}}}",
                signed=True,
            ),
            _lines("Value of a day", Unit.NUMBER, f"revision:viridian_value:sum1d{{{CHOSEN}}}", signed=True),
            _lines(
                "Accuracy by confidence, of a week",
                Unit.SHARE,
                f"sum by (bin) (sum_over_time({feedback}_confident_correct:increase5m{{{CHOSEN}}}[7d:5m]))"
                f"\n / sum by (bin) (sum_over_time({feedback}_confident:increase5m{{{CHOSEN}}}[7d:5m]))",
                "confidence from {{bin}}",
                description="Of a calibrated model, the line of 0.9 lies between 90 % and 100 %.",
            ),
            _lines(
                "Expected calibration error of a week",
                Unit.SHARE,
                f"revision:viridian_calibration_error:ratio7d{{{CHOSEN}}}",
                description="How far confidence is from accuracy, on average over predictions with a known truth.",
            ),
            Panel(
                "Versions",
                Unit.NUMBER,
                (Query(f"revision:viridian_revision:info{{{CHOSEN}}}", "{{revision}}: {{version}}, {{color}}"),),
            ),
        ),
    )


def cost() -> Row:
    """Return the row on cost, which is empty where the installation has no prices."""
    return Row(
        "Cost",
        (
            _lines(
                "Cost of an hour",
                Unit.NUMBER,
                f"revision:viridian_cost:per_hour{{{CHOSEN}}}",
                "{{revision}}, {{version}}, {{currency}}",
                Kind.STACK,
            ),
            Panel(
                "Cost of 1,000 predictions",
                Unit.NUMBER,
                (
                    Query(f"model:viridian_cost_per_1000:1h{{{CHOSEN}}}", "of an hour, {{currency}}"),
                    Query(f"model:viridian_cost_per_1000:1d{{{CHOSEN}}}", "of a day, {{currency}}"),
                    Query(f"max by (model) (viridian_objective_cost_per_1000{{{CHOSEN}}})", "objective"),
                ),
            ),
            _lines(
                "Cost of 1,000 predictions by revision",
                Unit.NUMBER,
                f"revision:viridian_cost_per_1000:1h{{{CHOSEN}}}",
            ),
            _lines(
                "Cost of rollouts on top, of an hour",
                Unit.NUMBER,
                f"model:viridian_rollout_cost:per_hour{{{CHOSEN}}}",
                "{{currency}}",
                description="Of the cheaper of two colors that have pods at the same time.",
            ),
        ),
    )


def _lines(
    title: str,
    unit: Unit,
    expr: str,
    legend: str = _BY_REVISION,
    kind: Kind = Kind.LINES,
    *,
    signed: bool = False,
    description: str = "",
) -> Panel:
    return Panel(title, unit, (Query(expr, legend),), kind, description, signed=signed)
