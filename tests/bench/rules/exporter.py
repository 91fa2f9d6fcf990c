"""Pages of many serving pods, for a Prometheus to scrape: `python -m tests.bench.rules.exporter PORT MODELS`.

Each page is the one that the serving image makes, cut down to the series that a rule or a dashboard of many models
reads. The counters go on with the clock, as under steady traffic; stable of each model has nine tenths of it.
"""

import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from viridian.monitoring.dashboards.boards import boards
from viridian.monitoring.groups import files
from viridian_serving.contract.compatibility import ITSELF
from viridian_serving.metrics.guard_counters import FrozenCounters
from viridian_serving.settings.dynamic import ObjectiveSettings
from viridian_serving.telemetry.disk_gauges import FREE, SIZE
from viridian_serving.telemetry.exposition import FallbackGauge, build_registry, render
from viridian_serving.telemetry.objective_gauges import ObjectiveGauges
from viridian_shared.counts.latency import GRID
from viridian_shared.counts.metric_names import DRIFT_BASELINE, DRIFT_OBSERVED

COLORS, PODS = 2, 2
"""Of each model."""
MODELS_OF_A_PAGE = 50
USERS = re.compile(r'via="(split|pin|direct)"')
"""Durations of other requests are read by no rule."""
DRIFTING = 20
"""One model in so many has a baseline."""
VARIABLES, BINS = 8, 12
_IDENTITY = ("NAMESPACE", "MODEL", "REVISION", "POD")
_SERIES = re.compile(r"\b(viridian_[a-z_]+|process_(?:open|max)_fds)\b")
_LINE = re.compile(r"^([a-z_]+)(\{.*\})? (\S+)$")


def series_read() -> frozenset[str]:
    """Names that rules, and dashboards of all models, read."""
    rules = [rule.expr for groups in files().values() for group in groups for rule in group.rules]
    fleet = [expr for _, expr in boards()["fleet"].queries()]
    return frozenset(name for text in (*rules, *fleet) for name in _SERIES.findall(text))


def pod_lines() -> list[str]:
    """The lines of one pod, with words in place of its labels' values, and RATE in place of what counts."""
    counters = FrozenCounters(GRID, 15.0, time.time_ns())
    objectives = ObjectiveSettings(availability=0.99, latency={"p95": 0.5})
    others = (FallbackGauge(_IDENTITY, lambda: ITSELF), ObjectiveGauges(_IDENTITY, GRID, lambda: objectives))
    identity = ",".join(
        f'{label}="{value}"'
        for label, value in zip(("model_namespace", "model", "revision", "pod_uid"), _IDENTITY, strict=True)
    )
    page = render(build_registry(counters, _IDENTITY, others)).decode().splitlines()
    page += [f"viridian_ready{{{identity}}} 1", f"viridian_model_failing{{{identity}}} 0"]
    page += [f'{name}{{{identity},folder="{folder}"}} 1e9' for name in (FREE, SIZE) for folder in ("tmp", "shm")]
    page += [f"viridian_queue_seconds_{end}{{{identity}}} 0" for end in ("sum", "count")]
    page += [f"viridian_model_deaths_total{{{identity}}} 0"]
    page += [
        f'viridian_log_dropped_total{{{identity},reason="{r}"}} 0'
        for r in ("queue-full", "refused", "changed", "shutdown")
    ]
    read, kept = series_read(), []
    for line in page:
        found = _LINE.match(line)
        if found is None or found[1] not in read:
            continue
        name, labels, value = found[1], found[2] or f"{{{identity}}}", found[3]
        if name.startswith("viridian_request_duration") and not USERS.search(labels):
            continue
        counts = name == "viridian_requests_total" and 'via="split",outcome="ok"' in labels
        slow = (
            name.endswith("_bucket")
            and 'via="split"' in labels
            and float(labels.split('le="')[1].split('"')[0]) >= 0.02
        )
        kept.append(f"{name}{labels} {'RATE' if counts or slow else value}")
    return kept


def drift_lines() -> list[str]:
    """Further lines of a pod whose model has a baseline."""
    identity = ",".join(
        f'{label}="{value}"'
        for label, value in zip(("model_namespace", "model", "revision", "pod_uid"), _IDENTITY, strict=True)
    )
    return [
        f'{name}{{{identity},kind="feature",variable="v{variable}",bin="{number}"}} {value}'
        for name, value in ((DRIFT_BASELINE, "500"), (DRIFT_OBSERVED, "RATE"))
        for variable in range(VARIABLES)
        for number in range(BINS)
    ]


def template(number: int, count: int) -> str:
    """The page of some models, from one number on."""
    lines, drifting, found = "\n".join(pod_lines()), "\n".join(drift_lines()), []
    for model in range(number, number + count):
        body = lines + ("\n" + drifting if model % DRIFTING == 0 else "")
        for color in range(COLORS):
            for pod in range(PODS):
                name, uid = f"model-{model:05}", f"{model:08x}-0000-4000-8000-{color:06x}{pod:06x}"
                filled = body.replace("NAMESPACE", f"team-{model % 20}").replace("MODEL", name)
                filled = filled.replace("REVISION", f"{name}-{color + 1}").replace("POD", uid)
                found.append(filled.replace("RATE", "@STABLE" if color == 0 else "@CANDIDATE"))
    return "\n".join(found) + "\n"


class Pages(ThreadingHTTPServer):
    """Answers `/metrics/N` with the page of the Nth models."""

    def __init__(self, port: int, models: int) -> None:
        """Make all of them."""
        super().__init__(("127.0.0.1", port), _Handler)
        begins = range(0, models, MODELS_OF_A_PAGE)
        self.pages = [template(begin, min(MODELS_OF_A_PAGE, models - begin)).encode() for begin in begins]


class _Handler(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        count = time.time() % 1e6
        page = self.server.pages[int(self.path.rpartition("/")[2])]
        page = page.replace(b"@STABLE", b"%.0f" % (9 * count)).replace(b"@CANDIDATE", b"%.0f" % count)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    Pages(int(sys.argv[1]), int(sys.argv[2])).serve_forever()
