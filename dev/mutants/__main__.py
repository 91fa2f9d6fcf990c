"""`mutants TOOL COPY [MODULE…]`: mutation tests of the pure core, in a copy of the tree; see docs/evidence/mutants.md.

A mutant is the source of one module with one small mistake in it. The tests are loaded once; then each mutant gets its
own process, forked from there, in which they run until the first one fails. The mistakes are mutmut's, and some
of our own; mutmut's own runner would leave decorated functions out, and with them the properties that most rules of the
core ask.
"""

import contextlib
import os
import site
import sys
from pathlib import Path

import pytest

site.addsitedir(sys.argv[1])
from report import Report
from runner import PYTEST, Runner


def main(copy: str, *modules: str) -> int:
    """Test the mutants of these modules, or of all."""
    report = Report(modules)
    os.chdir(copy)
    sys.path[:3] = [str(Path(folder).resolve()) for folder in ("operator", "serving-image", ".")]
    runner = Runner(report.fill)
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
        pytest.main(PYTEST, [runner.reporter, runner])
    return report.close(runner.reporter.failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[2:]))
