"""The memory of a process and its children."""

import subprocess
import sys

from .memory import each_of, used_by

_HOLDS = "import sys; held = bytes([1]) * (int(sys.argv[1]) << 20); print('ready', flush=True); sys.stdin.read()"
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_HOLDS!r}, '64'])"


def test_what_children_use_counts() -> None:
    # given a process that waits for a child, which holds 64 MiB
    command = [sys.executable, "-c", _PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"

        # when the memory of the first is read, then it is there
        assert 64 < used_by([parent.pid]).mib < 128

        # and one can tell which of the two holds it
        mine, childs = (memory.mib for memory in each_of([parent.pid]).values())
        assert mine < 64 < childs

        # and a process that has ended uses none
        parent.communicate(b"")
    assert used_by([parent.pid]).mib == 0
