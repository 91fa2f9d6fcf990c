"""The table of mutants, and what docs/evidence/mutants.md says of those that survive."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from mistakes import NAME, mutants_of
from runner import Runner

SOURCES = Path("operator/viridian", NAME)
EXPLANATIONS = Path("docs/evidence/mutants.md")
COLUMNS = ("mutants", "killed", "survived", "explained")


class Report:
    """The table, as it grows."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self.modules = modules
        self.known = set(re.findall(r"^- (`.*?` `.*?`: `.*` → `.*`)$", EXPLANATIONS.read_text(), re.MULTILINE))
        self.path = Path("build/mutants.json").resolve()
        self.out = sys.stdout
        self.rows: list[dict[str, Any]] = []
        self.survivors: list[str] = []
        self.began = False

    def fill(self, runner: Runner) -> None:
        """Test all mutants."""
        paths = sorted(path for path in SOURCES.rglob("*.py") if not self.modules or path.stem in self.modules)
        self.began = True
        for path in paths:
            mutants = list(mutants_of(path))
            if mutants:
                self.add(path.stem, len(mutants), [m.key for m in mutants if runner.killer_of(m) is None])

    def add(self, module: str, mutants: int, alive: list[str]) -> None:
        """A row of the table, and under it the survivors that nobody has explained."""
        self.survivors += alive
        killed, explained = mutants - len(alive), sum(key in self.known for key in alive)
        row = {"module": module, "mutants": mutants, "killed": killed, "survived": len(alive), "explained": explained}
        self.rows.append(row)
        if not self.modules:
            self.path.write_text(json.dumps({"rows": self.rows}, indent=1))
        print(f"  {module:<12}" + "".join(f"{row[name]:6} {name}" for name in COLUMNS), file=self.out)
        for key in sorted(set(alive) - self.known):
            print(f"- {key}", file=self.out)
        self.out.flush()

    def close(self, failed: list[str]) -> int:
        """Say what is to be done; 1 when something is.

        Args:
            failed: Tests that failed without any mistake.
        """
        if not self.began:
            print(f"Tests of tests/{NAME} fail without any mistake, in a copy of the tree. Make them pass first:")
            print(*(f"- {each}" for each in failed), sep="\n")
            return 1
        total = {name: sum(row[name] for row in self.rows) for name in COLUMNS}
        print(f"  {'all':<12}" + "".join(f"{total[name]:6} {name}" for name in COLUMNS))
        new = set(self.survivors) - self.known
        tested = {row["module"] for row in self.rows}
        asked = {key for key in self.known if key.split("`")[1] in tested}
        gone = sorted(asked - set(self.survivors))
        if new:
            print(f"The survivors above are not in {EXPLANATIONS}: write tests that find them, or say why none can.")
        if gone:
            print(f"These are explained in {EXPLANATIONS}, but survive no more; take them out there:")
            print(*(f"- {key}" for key in gone), sep="\n")
        return 1 if new or gone else 0
