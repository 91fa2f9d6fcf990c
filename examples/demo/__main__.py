"""Run the demonstration with `python -m examples.demo`, from the top of the repository; `make demo` prepares it."""

import asyncio
import json
import os
import sys

from rich.console import Console
from rich.table import Table

from .errors import DemoError
from .report import Report, build_report, problems, suffered
from .settings import NAME, NAMESPACE, Settings, read_settings
from .story import Seen, play
from .view import make_screen

INTERRUPTED = 130


def main() -> int:
    """Play, report, say how to look around; the result is the exit status."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    try:
        settings = read_settings(os.environ)
        prepare(settings)
        with make_screen(console) as screen:
            seen = asyncio.run(play(settings, screen))
    except KeyboardInterrupt:
        console.print("Interrupted. The cluster is still there; `make clean` removes it.")
        return INTERRUPTED
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return conclude(console, settings, seen)


def prepare(settings: Settings) -> None:
    """Make room for the results, so that a run that fails leaves none of an earlier one behind."""
    settings.build.mkdir(exist_ok=True)
    for name in ("demo-report.json", "demo-timeline.json"):
        (settings.build / name).unlink(missing_ok=True)


def conclude(console: Console, settings: Settings, seen: Seen) -> int:
    """Write and print the report; the result is the exit status."""
    report = build_report(seen.answers, seen.timeline, seen.good, seen.bad, seen.wrong, seen.errors)
    path = settings.build / "demo-report.json"
    path.write_text(json.dumps(report.document(), indent=2) + "\n")
    (settings.build / "demo-timeline.json").write_text(json.dumps(seen.timeline.document(), indent=1) + "\n")

    console.print(table(report))
    for entry in reversed(seen.timeline.status.history):
        console.print(f"{entry.version} {entry.result}: {entry.message}", markup=False)
    for sentence in suffered(report):
        console.print(sentence, style="yellow", markup=False)
    found = problems(report, seen.good, seen.bad, seen.wrong)
    for sentence in found:
        console.print(sentence, style="bold red", markup=False)
    console.print(look_around(settings), markup=False)
    return 1 if found else 0


def table(report: Report) -> Table:
    """The report in short."""
    drawn = Table(show_header=False)
    drawn.add_row("requests", f"{report.requests_total}, {report.requests_failed_client} failed")
    drawn.add_row("answered by stable for a candidate", str(report.requests_rescued))
    drawn.add_row("promoted", _with_seconds(report.promoted_version, report.promotion_seconds, "after it was applied"))
    drawn.add_row("rolled back", report.rolled_back_version or "-")
    drawn.add_row("stopped by a check, before any request", report.stopped_version or "-")
    drawn.add_row("first bad response until 100 % stable", _seconds(report.seconds_first_bad_response_to_100_stable))
    drawn.add_row("evidence complete until 100 % stable", _seconds(report.reaction_seconds))
    drawn.add_row("candidate's weights seen", " ".join(map(str, report.weights_seen)) or "-")
    drawn.add_row("at the end", f"{report.phase_final}, stable is {report.stable_version_final}")
    return drawn


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"


def _with_seconds(version: str | None, seconds: float | None, meaning: str) -> str:
    return f"{version}, {_seconds(seconds)} {meaning}" if version else "-"


def look_around(settings: Settings) -> str:
    """What one can do next."""
    lines = [
        "The cluster stays. To look around:",
        *(["  . dev/env.sh      # kubectl, helm and kind in this shell use the cluster"] if settings.local else []),
        f"  kubectl -n {NAMESPACE} get mdep {NAME} -o wide",
        f"  kubectl -n {NAMESPACE} describe mdep {NAME}",
        f"  kubectl -n {NAMESPACE} get pods,httproutes -o wide",
        f"  the model at {settings.predict_url}, Prometheus at {settings.prometheus}",
        f"  the report in {settings.build / 'demo-report.json'}, every request in"
        f" {settings.build / 'demo-requests.jsonl'}, all that was seen in {settings.build / 'demo-timeline.json'}",
        *(
            [f"Its pods take CPU. To free it: kubectl delete namespace {NAMESPACE}. To remove the cluster: make clean"]
            if settings.local
            else [f"To remove it: kubectl delete namespace {NAMESPACE}"]
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
