"""Compile the modules that every prediction passes through, with mypyc: `python compile.py FOLDER [PYTHON]`.

FOLDER holds the packages viridian_serving and viridian_shared; extension modules are put beside their sources. Python
prefers an extension module, and runs the source where there is none for it: compiling is never necessary. It takes
mypy, setuptools, a C compiler and Python's headers. PYTHON, by default this one, has what the modules import.
"""

import os
import sys
from pathlib import Path
from typing import Final

MODULES: Final = (
    "http1.body_budget",
    "http1.client",
    "http1.connection",
    "http1.messages",
    "http1.request_ids",
    "metrics.guard_counters",
    "metrics.histograms",
    "metrics.response_counts",
    "codec.answers",
    "codec.fast_instances",
    "codec.oip",
    "inference.batcher",
    "inference.deadlines",
    "inference.misbehavior",
    "inference.model",
    "inference.predictor",
    "inference.request_context",
    "inference.witness",
    "telemetry.model_metrics",
    "telemetry.telemetry",
    "api.client_timeout",
    "api.outcomes",
    "api.pipeline",
    "api.responses",
)
"""Of viridian_serving. What they share is compiled as one, so that they call one another as C functions do."""


def main() -> int:
    """Compile in place.

    Returns:
        The exit code: 0 when every module was compiled, 2 when there is nothing to compile.
    """
    folder = Path(sys.argv[1]) if len(sys.argv) in (2, 3) else None
    if folder is None or not (folder / "viridian_serving").is_dir():
        print(f"usage: {sys.argv[0]} FOLDER [PYTHON]; FOLDER holds the package viridian_serving", file=sys.stderr)
        return 2
    os.chdir(folder)
    # Both read the command line or the folder when they are imported.
    from mypyc.build import mypycify
    from setuptools import Distribution

    files = [f"viridian_serving/{name.replace('.', '/')}.py" for name in MODULES]
    # Types are checked elsewhere, with all of the stubs; here a library without any is taken as it is.
    python = sys.argv[2] if len(sys.argv) == 3 else sys.executable
    options = ["--explicit-package-bases", "--ignore-missing-imports", "--follow-imports=silent", "--no-incremental"]
    options += ["--config-file=", f"--python-executable={python}"]
    level = os.environ.get("OPT_LEVEL", "1")  # 2 and 3 take minutes longer
    extensions = mypycify([*options, *files], opt_level=level, debug_level="0", group_name="viridian_serving")
    command = Distribution({"name": "viridian-serving", "ext_modules": extensions}).get_command_obj("build_ext")
    command.inplace = True
    command.ensure_finalized()
    command.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
