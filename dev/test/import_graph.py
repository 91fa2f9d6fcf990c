"""`import_graph.py PACKAGE…`: prints which package of a package imports which, those first that nobody imports."""

import sys

import grimp


def rows(root: str) -> list[tuple[str, list[str]]]:
    """The packages of a root package, each with those that it imports; importers stand before what they import.

    A package in one whose own modules it imports, and that import it, is shown as a part of that one.
    """
    graph = grimp.build_graph(root)

    def package_of(module: str) -> str:
        return module if graph.find_children(module) else module.rpartition(".")[0]

    imports: dict[str, set[str]] = {package_of(module): set() for module in graph.modules}
    for module in graph.modules:
        others = map(package_of, graph.find_modules_directly_imported_by(module))
        imports[package_of(module)].update(other for other in others if other != package_of(module))
    # Again after each, since what becomes a part may have been all that stood between others.
    while inner := next((each for each in sorted(imports, reverse=True) if _is_part(each, imports)), None):
        outer = inner.rpartition(".")[0]
        imports[outer] |= imports.pop(inner) - {outer}
        for others in imports.values():
            if inner in others:
                others.discard(inner)
                others.add(outer)
        imports[outer].discard(outer)
    ordered: list[tuple[str, list[str]]] = []
    while imports:
        free = sorted(package for package in imports if not any(package in others for others in imports.values()))
        if not free:
            raise SystemExit(f"{root}: these packages import each other in a circle: {', '.join(sorted(imports))}")
        ordered += [(package, sorted(imports.pop(package))) for package in free]
    return [row for row in ordered if row[0] != root]


def _is_part(inner: str, imports: dict[str, set[str]]) -> bool:
    outer = inner.rpartition(".")[0]
    return outer in imports[inner] and inner in imports.get(outer, ())


def main(roots: list[str]) -> None:
    """Print the graph of each root package."""
    for root in roots:
        print(root)
        short = len(root) + 1
        for package, others in rows(root):
            print(f"  {package[short:]:<24} {' '.join(other[short:] for other in others) or '-'}")


if __name__ == "__main__":
    main(sys.argv[1:])
