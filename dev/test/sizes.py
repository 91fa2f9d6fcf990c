"""`sizes.py FOLDER…`: fails where a module has more than 400 lines, or a folder more than 20 modules."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LINES = 400
MODULES = 20


def excesses(modules: list[Path]) -> Iterator[str]:
    """What is too large to be read at once; a package's `__init__` does not count."""
    for module in modules:
        lines = len(module.read_text().splitlines())
        if lines > LINES:
            yield f"{module} has {lines} lines, {lines - LINES} too many: split it by what its parts are about"
    folders = Counter(module.parent for module in modules if module.name != "__init__.py")
    for folder, count in folders.items():
        if count > MODULES:
            yield f"{folder} has {count} modules, {count - MODULES} too many: move some into another folder"


def main(roots: list[str]) -> None:
    """Look at each module below the folders."""
    found = list(excesses([module for root in roots for module in sorted(Path(root).rglob("*.py"))]))
    if found:
        raise SystemExit("\n".join(found))


if __name__ == "__main__":
    main(sys.argv[1:])
