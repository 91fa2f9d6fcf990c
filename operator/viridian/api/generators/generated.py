"""Files that are generated and committed: written by one command, and checked by the same one."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Render = Callable[[], str]


def stale(files: Mapping[str, Render], root: Path) -> list[str]:
    """The paths whose content is not what would be generated now."""
    return [path for path, render in files.items() if _read(root / path) != render()]


def main(module: str, files: Mapping[str, Render], arguments: Sequence[str] | None = None) -> int:
    """The command line of a generating module; the exit status is not 0 when a check fails.

    Args:
        module: Name of the module, for the sentence that says what to run.
        files: What renders each file, by path below the root of the repository.
        arguments: The command line, or None for the process's own.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=f"Write {', '.join(files)}.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")
    parser.add_argument("--root", type=Path, default=Path(), help="root of the repository; default: this folder")
    chosen = parser.parse_args(arguments)
    if not chosen.check:
        for path, render in files.items():
            target = chosen.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(render(), encoding="utf-8")
        return 0
    old = stale(files, chosen.root)
    for path in old:
        sys.stderr.write(f"{path} is not what the models say now: run `python -m {module}` and commit the result.\n")
    return 1 if old else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
