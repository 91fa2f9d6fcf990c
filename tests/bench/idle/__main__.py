"""`make bench-idle`: a thousand models at rest under a real API server; a table, and build/bench-idle.json."""

import argparse
import json
import logging
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from tests.bench.idle.fleet import PATTERN, Fleet, pattern
from tests.bench.idle.meter import Usage, count_requests
from tests.component.harness.api_proxy import ApiProxy
from tests.component.harness.binaries import REPOSITORY, crds
from tests.component.harness.chart import operator_kubeconfig
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.gateway import Acceptor
from tests.component.harness.operator import OperatorProcess
from tests.component.harness.pods import ReadyKeeper
from tests.component.harness.prometheus import Prometheus
from tests.waiting import eventually

LOG = logging.getLogger("bench-idle")
MIB = 1 << 20


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10, help="how long to watch the idle operator")
    parser.add_argument("--settle", type=float, default=15, help="how long to watch its start, in minutes")
    parser.add_argument("--sweep", default="10m", help="the operator's sweep period")
    wanted = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory(prefix="bench-idle-") as folder:
        rows = measure(Path(folder), wanted)
    file = REPOSITORY / "build" / "bench-idle.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"rows": rows}, indent=2) + "\n")
    print(table(rows))


def measure(folder: Path, wanted: argparse.Namespace) -> list[dict[str, Any]]:
    """Build the stage, fill it, and look at the operator: without models, at its start with all, and idle."""
    models = wanted.models
    with ExitStack() as stack:
        control_plane = ControlPlane(_made(folder / "control-plane"))
        stack.callback(control_plane.stop)
        _install_definitions(control_plane)
        namespace = _make_namespace(control_plane)
        prometheus = Prometheus(_made(folder / "prometheus"))
        stack.callback(prometheus.stop)
        proxy = stack.enter_context(ApiProxy(control_plane.url, control_plane.certificate))
        kubeconfig = proxy.kubeconfig(operator_kubeconfig(control_plane, namespace))
        operator = OperatorProcess(kubeconfig, prometheus, namespace, _made(folder / "operator"))
        operator.environment["VIRIDIAN_SWEEP_PERIOD"] = wanted.sweep
        with operator:
            rows = [_watch(operator, proxy, "no models", 0, 0.5)]
            LOG.info("one model is brought to rest by the operator")
            control_plane.apply(pattern(namespace))
            with ReadyKeeper(control_plane.core, namespace), Acceptor(control_plane, namespace):
                eventually(lambda: _phase(control_plane, namespace) == "Stable", "the first model", within=120)
            operator.kill()
        LOG.info("%d models are made after it", models - 1)
        Fleet(control_plane, namespace).multiply(models)
        LOG.info("the operator starts on them")
        seen = _statuses(control_plane, namespace)
        with operator:
            rows.append(_watch(operator, proxy, "start, with its first sweep", models, wanted.settle))
            LOG.info("%.0f minutes of rest", wanted.minutes)
            rows.append(_watch(operator, proxy, "idle", models, wanted.minutes))
        if _statuses(control_plane, namespace) != seen:
            raise AssertionError("the operator wrote a status, so the models were not at rest for it")
        return rows


def _watch(operator: OperatorProcess, proxy: ApiProxy, what: str, models: int, minutes: float) -> dict[str, Any]:
    """What the operator uses and asks for in this time."""
    before, asked = Usage.of(operator.pid), len(proxy.requests)
    began = time.monotonic()
    time.sleep(minutes * 60)
    after, elapsed = Usage.of(operator.pid), time.monotonic() - began
    requests = count_requests(proxy.requests[asked:])
    return {
        "state": what,
        "models": models,
        "minutes": round(elapsed / 60, 1),
        "rss_mib": round(after.resident / MIB, 1),
        "rss_peak_mib": round(after.peak / MIB, 1),
        "cpu_percent": round(100 * (after.cpu_seconds - before.cpu_seconds) / elapsed, 2),
        "requests_per_minute": round(sum(requests.values()) / elapsed * 60, 1),
        "requests": requests,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    head = ("state", "models", "minutes", "RSS MiB", "peak", "CPU %", "requests/min", "requests")
    keys = ("state", "models", "minutes", "rss_mib", "rss_peak_mib", "cpu_percent", "requests_per_minute")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        requests = ", ".join(f"{count} {what}" for what, count in row["requests"].items())
        lines.append("| " + " | ".join([*(str(row[key]) for key in keys), requests]) + " |")
    return "\n".join(lines)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _install_definitions(control_plane: ControlPlane) -> None:
    files = [REPOSITORY / "crds" / "viridian.dev_modeldeployments.yaml"]
    files += crds("gateway-api/gateway.networking.k8s.io_*.yaml")
    for file in files:
        control_plane.apply(yaml.safe_load(file.read_text()))
    for path in ("viridian.dev/v1alpha1", "gateway.networking.k8s.io/v1"):
        eventually(lambda path=path: _serves(control_plane, path), f"{path} to be served")


def _serves(control_plane: ControlPlane, path: str) -> bool:
    try:
        return bool(control_plane.get(f"/apis/{path}")["resources"])
    except OSError:
        return False


def _make_namespace(control_plane: ControlPlane) -> str:
    name, core = "bench", control_plane.core
    core.create_namespace({"metadata": {"name": name}})
    eventually(lambda: bool(core.list_namespaced_service_account(name).items), "the namespace's ServiceAccount")
    control_plane.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": name},
            "spec": {"gatewayClassName": "none", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        }
    )
    return name


def _phase(control_plane: ControlPlane, namespace: str) -> str:
    found = control_plane.get(f"/apis/viridian.dev/v1alpha1/namespaces/{namespace}/modeldeployments/{PATTERN}")
    return str(found.get("status", {}).get("phase", ""))


def _statuses(control_plane: ControlPlane, namespace: str) -> dict[str, Any]:
    found = control_plane.get(f"/apis/viridian.dev/v1alpha1/namespaces/{namespace}/modeldeployments")
    return {item["metadata"]["name"]: item.get("status") for item in found["items"]}


if __name__ == "__main__":
    main()
