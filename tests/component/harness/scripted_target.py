"""A metrics page whose counters tests set: it stands for the pods of all models at once."""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from viridian_shared.counts.latency import GRID


@dataclass
class ScriptedPod:
    """The counters of one serving pod.

    Attributes:
        model_namespace: Namespace of the ModelDeployment.
        model: Its name.
        revision: Name of the pod's revision.
        pod_uid: UID of the pod.
        silent: The page leaves the pod out, as if it could not be scraped.
        stamp: Time of the counters; None is the page's. An old one makes the samples stale.
        fallback: What it says of stable's help: how much it covers, and why not all; None as pods of earlier images.
        failures: Its failed requests by type, status and sentence.
        shadow: Of stable's pods: copies of their requests by candidate and by what became of them.
        more: Further samples: name, and labels with value.
        started: Since when it counts, in seconds since the epoch.
    """

    model_namespace: str
    model: str
    revision: str
    pod_uid: str
    silent: bool = False
    stamp: float | None = None
    fallback: tuple[str, str] | None = None
    failures: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    shadow: Counter[tuple[str, str]] = field(default_factory=Counter)
    more: list[tuple[str, str]] = field(default_factory=list)
    started: float = field(default_factory=time.time)
    _requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    _buckets: dict[str, list[int]] = field(default_factory=dict)
    _seconds: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, number: int, outcome: str = "ok", via: str = "split", seconds: float = 0.02) -> None:
        """This many requests ended so, each after this many seconds. Rejected requests have no duration."""
        with self._lock:
            self._requests[via, outcome] += number
            if outcome != "rejected":
                buckets = self._buckets.setdefault(via, [0] * (len(GRID) + 1))
                buckets[bisect_left(GRID, seconds)] += number
                self._seconds[via] += number * seconds  # type: ignore[assignment]  # Counter is typed for whole numbers

    def restart(self) -> None:
        """The process began anew: all counters are 0."""
        with self._lock:
            self.started = time.time()
            self._requests.clear()
            self._buckets.clear()
            self._seconds.clear()

    def samples(self, moment: float) -> Iterator[tuple[str, str]]:
        """Name and text of each sample, as they stand on the page of this moment."""
        identity = (
            f'model_namespace="{self.model_namespace}",model="{self.model}",revision="{self.revision}"'
            f',pod_uid="{self.pod_uid}"'
        )
        yield from self.more
        with self._lock:
            for (via, outcome), number in self._requests.items():
                yield "viridian_requests_total", f'{{{identity},via="{via}",outcome="{outcome}"}} {number}'
            for via, buckets in self._buckets.items():
                yield from self._histogram(f'{identity},via="{via}"', via, buckets)
            if self.fallback is not None:
                covers, reason = self.fallback
                labels = f'{identity},covers="{covers}",reason="{reason}"'
                yield "viridian_fallback_available", f"{{{labels}}} {int(covers in {'all', 'some'})}"
            for (kind, status, detail), number in self.failures.items():
                labels = f'{identity},type="{kind}",status="{status}",detail="{detail}"'
                yield "viridian_failures_total", f"{{{labels}}} {number}"
            for (candidate, result), number in self.shadow.items():
                labels = f'{identity},candidate="{candidate}",result="{result}"'
                yield "viridian_shadow_total", f"{{{labels}}} {number}"
            if self.shadow:  # guards on answers take the revision from it
                yield "viridian_counters_started_seconds", f"{{{identity}}} {self.started:.3f}"
            stamp = moment if self.stamp is None else self.stamp
            yield "viridian_counters_stamp_seconds", f"{{{identity}}} {stamp:.3f}"

    def _histogram(self, labels: str, via: str, buckets: list[int]) -> Iterator[tuple[str, str]]:
        total = 0
        for bound, number in zip([*(f"{bound!r}" for bound in GRID), "+Inf"], buckets, strict=True):
            total += number
            yield "viridian_request_duration_seconds_bucket", f'{{{labels},le="{bound}"}} {total}'
        yield "viridian_request_duration_seconds_count", f"{{{labels}}} {total}"
        yield "viridian_request_duration_seconds_sum", f"{{{labels}}} {self._seconds[via]:.6f}"


class ScriptedTarget:
    """An HTTP server on loopback with the page that Prometheus scrapes.

    Attributes:
        address: Host and port.
        down: Answers 503 instead of the page, as a target that cannot be scraped.
        scrapes: How often the page was read; a test waits for a later one to know that its counts were seen.
    """

    def __init__(self, interval: int, host: str = "127.0.0.1", port: int = 0) -> None:
        """Start it; the page changes at whole multiples of this many seconds, as the pages of real pods do."""
        self._interval = interval
        self._moment = 0
        self._page = ""
        self._lock = threading.Lock()
        self._pods: dict[str, ScriptedPod] = {}
        self.down = False
        self.scrapes = 0
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status = 503 if target.down else 200
                body = b"" if target.down else target.page().encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):  # a Prometheus that was ended in the middle of a scrape
                    self.wfile.write(body)
                    target.scrapes += status == 200

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
                """Say nothing: a line a second would bury what tests print."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="scripted-target", daemon=True)
        self._thread.start()

    def pod(self, model_namespace: str, model: str, revision: str, pod_uid: str) -> ScriptedPod:
        """The counters of one pod; made on first use."""
        return self._pods.setdefault(pod_uid, ScriptedPod(model_namespace, model, revision, pod_uid))

    def clear(self) -> None:
        """Forget all pods, and answer again."""
        self._pods = {}
        self.down = False

    def page(self) -> str:
        """The page in Prometheus' text format, as it was first read in the current interval."""
        with self._lock:
            moment = int(time.time()) // self._interval * self._interval
            if moment != self._moment:
                self._moment, self._page = moment, self._render(moment)
            return self._page

    def _render(self, moment: float) -> str:
        # Samples of one name stand together, as the format wants it.
        families: dict[str, list[str]] = {}
        for pod in list(self._pods.values()):
            for name, sample in () if pod.silent else pod.samples(moment):
                families.setdefault(name, []).append(sample)
        return "".join(f"{name}{sample}\n" for name, samples in families.items() for sample in samples)

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
