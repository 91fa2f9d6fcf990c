"""Somebody who has never seen the plugin: deploys, breaks and rolls back, with what the help and the output say."""

import re
from pathlib import Path

import yaml
from tests.component.harness.shell import Shell
from tests.component.harness.stage import Stage

COMMAND = re.compile(r"kubectl viridian ([a-z]+)")


class Newcomer:
    """Uses no command and no option but those that some help names."""

    def __init__(self, stage: Stage, shell: Shell, folder: Path) -> None:
        self._stage, self._shell, self._file = stage, shell, folder / "iris.yaml"
        self._known = set(re.findall(r"^  ([a-z]+)  +[A-Z]", self._run("--help"), re.MULTILINE))

    def write(self, version: str) -> str:
        self._file.write_text(yaml.safe_dump(self._stage.manifest(version)))
        return str(self._file)

    def apply(self) -> None:
        self._shell.run("kubectl", "apply", "-f", self._file)

    def viridian(self, verb: str, *arguments: str) -> str:
        """What a command prints, without the lines of `watch` before the last one."""
        assert verb in self._known
        options = [each for each in arguments if each.startswith("-")]
        told = self._run(verb, "--help")
        assert all(option in told for option in options), (options, told)
        said = self._run(verb, *arguments)
        # and whatever the output says to run is a command too
        assert set(COMMAND.findall(said)) <= self._known, said
        return said.strip().splitlines()[-1] if verb == "watch" else said

    def _run(self, *arguments: str) -> str:
        return self._shell.run("kubectl", "viridian", *arguments)


def test_a_newcomer_gets_along_with_the_help_alone(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    somebody, here = Newcomer(stage, shell, tmp_path), ("-n", stage.namespace)

    # when a first model is checked and applied
    assert "0 errors" in somebody.viridian("lint", somebody.write("v1.0.0"))
    somebody.apply()
    assert somebody.viridian("watch", "iris", *here).startswith("Stable: ")
    # and a second one
    change = somebody.viridian("diff", "iris", "-f", somebody.write("v2.0.0"), *here)
    assert "A new revision of v2.0.0 would start next to stable (v1.0.0)." in change
    somebody.apply()
    assert somebody.viridian("watch", "iris", *here).startswith("Stable: ")
    assert re.search(r"^iris .* v2\.0\.0 ", somebody.viridian("list", *here), re.MULTILINE)

    # when a third one fails its users, it is turned back, and the reason and what to do can be read
    stage.users.outcome = lambda revision: ("error" if revision == "iris-3" else "ok", 0.02)
    somebody.write("v3.0.0")
    somebody.apply()
    assert somebody.viridian("watch", "iris", *here).startswith("RolledBack: v3.0.0 was rolled back: ")
    why = somebody.viridian("explain", "iris", *here)
    assert "more than the maximum of" in why
    assert "What to do (GuardBreached): " in why

    # when the second one is not wanted either
    assert "iris-1 comes back instead of iris-2" in somebody.viridian("rollback", "iris", *here)
    assert "v1.0.0 serves all requests" in somebody.viridian("watch", "iris", *here)
    assert "Restored" in somebody.viridian("history", "iris", *here)
