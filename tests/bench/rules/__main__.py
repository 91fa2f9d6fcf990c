"""`make bench-rules`: what rules and dashboards cost a Prometheus; a table, and build/bench-rules.json.

A real Prometheus scrapes the pages of many models for longer than the rules' windows of five minutes, first without
rules and then with the chart's. Three days of the recorded series are written beforehand. Its own figures say how long
each rule took; queries are those of the dashboards, over what was scraped.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.bench.rules import history
from tests.bench.rules.exporter import COLORS, MODELS_OF_A_PAGE, PODS, pod_lines
from tests.component.harness.binaries import REPOSITORY
from tests.component.harness.loopback import open_url
from tests.component.harness.prometheus import PrometheusServer
from tests.ports import free_port
from tests.waiting import eventually

from viridian.monitoring.dashboards.boards import boards

RULES = REPOSITORY / "charts" / "viridian" / "files" / "monitoring" / "rules"
MODEL = {"$namespace": "team-1", "$model": "model-00001"}
REPEATS = 3


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--interval", type=int, default=15, help="seconds between two scrapes")
    parser.add_argument("--window", type=int, default=330, help="seconds to scrape before the rules are evaluated")
    parser.add_argument("--watch", type=int, default=330, help="seconds to evaluate them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=REPOSITORY / "build") as folder:
        rows = _measure(options, Path(folder))
    target = REPOSITORY / "build" / "bench-rules.json"
    target.write_text(json.dumps({"rows": rows}, indent=2) + "\n")
    for row in rows:
        sys.stdout.write("  ".join(f"{key}={value}" for key, value in row.items()) + "\n")
    return 0


def _measure(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    port, models = free_port(), options.models
    exporter = subprocess.Popen([sys.executable, "-m", "tests.bench.rules.exporter", str(port), str(models)])
    try:
        samples = history.write(folder, models, time.time() - 60)
        _say(f"{samples} samples of history are written")
        eventually(lambda: open_url(f"http://127.0.0.1:{port}/metrics/0").read() != b"", "the pages", within=300)
        with PrometheusServer(folder, _configuration(options, port)) as server:
            process = server.process
            pods = models * COLORS * PODS
            rows = [{"what": "setup", "models": models, "pods": pods, "series_of_a_pod": len(pod_lines())}]
            # The windows must be full, and nothing tells when they are but the clock.
            rows.append({"what": "without rules", **_watched(server, process, options.window)})
            (folder / "prometheus.yml").write_text(yaml.safe_dump(_configuration(options, port, with_rules=True)))
            server.reload()
            rows.append({"what": "with rules", **_watched(server, process, options.watch)})
            rows += _rules(server)
            rows += _queries(server, options.window + options.watch)
            return rows
    finally:
        exporter.terminate()
        exporter.wait()


def _configuration(options: argparse.Namespace, port: int, *, with_rules: bool = False) -> dict[str, Any]:
    scrapes = [
        {
            "job_name": f"models-{number}",
            "metrics_path": f"/metrics/{number}",
            "honor_labels": True,
            "body_size_limit": 0,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }
        for number in range(-(-options.models // MODELS_OF_A_PAGE))
    ]
    return {
        "global": {"scrape_interval": f"{options.interval}s", "scrape_timeout": f"{options.interval}s"},
        "rule_files": [str(file) for file in sorted(RULES.glob("*.yaml"))] if with_rules else [],
        "scrape_configs": scrapes,
    }


def _watched(server: PrometheusServer, process: int, seconds: float) -> dict[str, Any]:
    """Let it run, and say what it took of the machine."""
    began, spent = time.monotonic(), _cpu(process)
    time.sleep(seconds)
    cores = (_cpu(process) - spent) / (time.monotonic() - began)
    status = Path(f"/proc/{process}/status").read_text()
    resident = next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS"))
    down = server.query("count(up == 0) or vector(0)")[0]["value"][1]
    samples = server.query("min(count_over_time(viridian_ready[5m]))")
    if down != "0" or not samples:
        raise RuntimeError(f"{down} pages cannot be scraped: this machine is too busy, or too small for so many models")
    head = server.get("/api/v1/status/tsdb")["data"]["headStats"]["numSeries"]
    _say(f"{cores:.2f} cores, {resident} MiB, {head} series")
    scraped = int(samples[0]["value"][1])
    return {"cores": round(cores, 3), "resident_mib": resident, "series": head, "samples_in_5m": scraped}


def _cpu(process: int) -> float:
    """Seconds of CPU that it has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _rules(server: PrometheusServer) -> list[dict[str, Any]]:
    """How long the last evaluation took, by group and by rule; failures are the bench's own fault."""
    found, missed = [], _missed(server)
    for group in server.get("/api/v1/rules")["data"]["groups"]:
        took = {rule["name"]: rule["evaluationTime"] for rule in group["rules"]}
        unhealthy = [f"{rule['name']}: {rule.get('lastError')}" for rule in group["rules"] if rule["health"] != "ok"]
        if unhealthy:
            raise RuntimeError(
                f"rules that were not evaluated: {unhealthy}; after a timeout this machine is too busy, or too small"
                " for so many models"
            )
        share = group["evaluationTime"] / group["interval"]
        found.append(
            {
                "what": "group",
                "name": group["name"],
                "seconds": round(group["evaluationTime"], 3),
                "interval": group["interval"],
                "share_of_interval": round(share, 4),
                "missed": missed.get(group["name"], 0),
            }
        )
        found += [
            {"what": "rule", "group": group["name"], "name": name, "seconds": round(seconds, 3)}
            for name, seconds in took.items()
        ]
    return found


def _missed(server: PrometheusServer) -> dict[str, int]:
    """How many evaluations Prometheus left out because the one before was not over, by group."""
    page = open_url(f"{server.url}/metrics").read().decode()
    return {
        sample.labels["rule_group"].rpartition(";")[2]: int(sample.value)
        for family in text_string_to_metric_families(page)
        if family.name == "prometheus_rule_group_iterations_missed"
        for sample in family.samples
    }


def _queries(server: PrometheusServer, seconds: int) -> list[dict[str, Any]]:
    """How long each panel of each dashboard takes: the median of a few times."""
    found = []
    for name, board in boards().items():
        for title, expr in board.queries():
            for word, value in MODEL.items():
                expr = expr.replace(word, value)
            now = time.time()
            span = {"query": expr, "start": now - seconds, "end": now, "step": 15}
            took = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                answer = server.get(f"/api/v1/query_range?{urllib.parse.urlencode(span)}")
                took.append(time.perf_counter() - began)
            series = len(answer["data"]["result"])
            median = round(statistics.median(took), 4)
            found.append({"what": "query", "dashboard": name, "panel": title, "seconds": median, "series": series})
    return found


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
