"""The processes of containers, seen from the node: a container cannot kill its own first process, and a node can."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    command: str


def kill(pod: dict[str, Any], container: str, program: str = "") -> str:
    """SIGKILL a process of a container.

    Args:
        pod: The pod, as read just now.
        container: The container's name.
        program: A word of its command line; the container's first process if it is left out.

    Returns:
        The command line of what was killed.
    """
    first = _first_process(pod, container)
    family = list(_family(first))
    found = [process for process in family if program in process.command] if program else family[:1]
    assert found, f"no process of {container} runs {program or 'at all'}: {[one.command for one in family]}"
    victim = found[-1]  # a shell may name a program that it starts
    _on_node("kill", "-KILL", str(victim.pid))
    return victim.command


def kill_program(program: str) -> None:
    """SIGKILL every process of the node whose command line begins with this program."""
    found = [one for one in _processes() if one.command.split()[0].rpartition("/")[2] == program]
    assert found, f"no {program} runs on the node"
    _on_node("kill", "-KILL", *(str(one.pid) for one in found))


def _first_process(pod: dict[str, Any], container: str) -> int:
    statuses = pod["status"]["containerStatuses"]
    identity = next(one["containerID"] for one in statuses if one["name"] == container).removeprefix("containerd://")
    tasks = _on_node("ctr", "--namespace=k8s.io", "tasks", "list").splitlines()
    pids = [int(line.split()[1]) for line in tasks if line.startswith(identity)]
    assert pids, f"container {container} of {pod['metadata']['name']} does not run"
    return pids[0]


def _family(first: int) -> Iterator[_Process]:
    """A process and its descendants, parents first."""
    processes = _processes()
    generation = [process for process in processes if process.pid == first]
    while generation:
        yield from generation
        parents = {process.pid for process in generation}
        generation = [process for process in processes if process.parent in parents]


def _processes() -> list[_Process]:
    lines = (line.split(maxsplit=2) for line in _on_node("ps", "-e", "-o", "pid=,ppid=,args=").splitlines())
    return [_Process(int(pid), int(parent), command) for pid, parent, command in lines]


def _on_node(*command: str) -> str:
    done = subprocess.run(
        ["docker", "exec", os.environ["NODE"], *command],
        capture_output=True,
        text=True,
        timeout=_ANSWER_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} on the node: {done.stderr.strip() or done.returncode}")
    return done.stdout
