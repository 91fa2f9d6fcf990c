"""`mutants.py TOOL COPY [MODULE…]`: mutation tests of the pure core, in a copy of the tree; see docs/mutants.md.

A mutant is the source of one module with one small mistake in it. The tests are loaded once; then each mutant gets a
process of its own, forked from there, in which they run until the first one fails. The mistakes are mutmut's, and some
of our own; mutmut's own runner would leave decorated functions out, and with them the properties that most rules of the
core ask.
"""

import ast
import contextlib
import difflib
import gc
import importlib.abc
import importlib.util
import json
import os
import re
import signal
import site
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NoReturn

import pytest

site.addsitedir(sys.argv[1])
import libcst as cst
import libcst.matchers as m
from mutmut.mutation import mutators
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.pragma_handling import IgnoredCode

PACKAGE = "viridian.rollout"
SOURCES = Path("operator/viridian/rollout")
EXPLANATIONS = Path("docs/mutants.md")
COLUMNS = ("mutants", "killed", "survived", "explained")
PYTEST = ["-s", "-p", "no:cacheprovider", "--deselect=tests/rollout/test_invariants.py::TestRollouts", "tests/rollout"]
"""All tests but the state machine, which takes seconds for each mutant and goes another way each time."""
SECONDS = 10
"""Processor time after which a test that does not end has found its mutant, too."""


# ------------------------------------------------------------------ mistakes


def _word(node: cst.BaseString) -> Iterable[cst.CSTNode]:
    """Spoil a word that a program may read; sentences for people are not compared word by word."""
    if isinstance(node, cst.SimpleString) and not node.value.endswith('"""') and " " not in node.value:
        yield node.with_changes(value=f"{node.value[:-1]}XX{node.value[-1]}")


def _blank(node: cst.FormattedString) -> Iterable[cst.CSTNode]:
    """Leave out one of the things that a sentence names."""
    for part in node.parts:
        if isinstance(part, cst.FormattedStringExpression):
            yield node.with_changes(parts=[other for other in node.parts if other is not part])


def _element(node: cst.Set | cst.List | cst.Tuple | cst.Dict) -> Iterable[cst.CSTNode]:
    """Leave out one element of what is enumerated."""
    if node.lpar or not isinstance(node, cst.Tuple):
        for element in node.elements if len(node.elements) > 1 else ():
            yield node.with_changes(elements=[other for other in node.elements if other is not element])


def _condition(node: cst.If | cst.CompIf) -> Iterable[cst.CSTNode]:
    """Turn a condition into its contrary; comparisons and `not` are turned by mutmut."""
    if not isinstance(node.test, cst.Comparison | cst.UnaryOperation):
        test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.UnaryOperation(cst.Not(), test))


def _statement(node: cst.Expr) -> Iterable[cst.CSTNode]:
    """Leave out a statement that is there for its effect, such as a yield."""
    if not isinstance(node.value, cst.BaseString):
        yield cst.Pass()


OPERATORS = [
    *(operator for operator in mutators.mutation_operators if operator[1] is not mutators.operator_string),
    (cst.SimpleString, _word),
    (cst.FormattedString, _blank),
    (cst.Set, _element),
    (cst.List, _element),
    (cst.Tuple, _element),
    (cst.Dict, _element),
    (cst.If, _condition),
    (cst.CompIf, _condition),
    (cst.Expr, _statement),
]
_TYPE = m.BinaryOperation(operator=m.BitOr()) | m.Subscript(value=m.Name("tuple"))


class Mistakes(MutationVisitor):
    """All mistakes that can be made in a module; in decorated functions too, but not in the names of types."""

    def __init__(self) -> None:
        super().__init__(OPERATORS, IgnoredCode(set(), set(), set()))

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return False
        return m.matches(node, m.Assign(value=_TYPE)) or super()._skip_node_and_children(node)


@dataclass(frozen=True)
class Mutant:
    """One mistake: the function and the lines of it that were changed, as they were and as they are."""

    module: str
    function: str
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        """The module's full name."""
        return f"{PACKAGE}.{self.module}"

    @property
    def key(self) -> str:
        """What it is called in the list of explanations; the same one wherever in the file the function moves."""
        return f"`{self.module}` `{self.function}`: `{self.before}` → `{self.after}`"


def mutants_of(path: Path) -> Iterator[Mutant]:
    """All different mutants of a module that are valid Python. None for False is no difference: mypy sees to that."""
    source = path.read_text()
    wrapper = cst.MetadataWrapper(cst.parse_module(source))
    mistakes = Mistakes()
    wrapper.visit(mistakes)
    seen = {_meaning(source)}
    for mutation in mistakes.mutations:
        mutated = _mutated(wrapper.module, mutation)
        try:
            meaning = _meaning(mutated)
        except SyntaxError:
            continue
        if meaning not in seen:
            seen.add(meaning)
            yield _described(path.stem, source, mutated)


def _meaning(source: str) -> str:
    return ast.dump(ast.parse(source)).replace("Constant(value=None)", "Constant(value=False)")


def _mutated(module: cst.Module, mutation: Mutation) -> str:
    mutated = module.deep_replace(mutation.original_node, mutation.mutated_node)
    return mutated.code if isinstance(mutated, cst.Module) else ""


def _described(module: str, source: str, mutated: str) -> Mutant:
    before, after = source.splitlines(), mutated.splitlines()
    changes = [c for c in difflib.SequenceMatcher(None, before, after, False).get_opcodes() if c[0] != "equal"]
    first, last = changes[0], changes[-1]
    old, new = before[first[1] : last[2]], after[first[3] : last[4]]
    return Mutant(module, _function_at(source, first[1] + 1), _in_one_line(old), _in_one_line(new), mutated)


def _in_one_line(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)


def _function_at(source: str, line: int) -> str:
    """The qualified name of the function or class around a line; `module` outside of all."""
    names, nodes = [], list(ast.parse(source).body)
    while nodes:
        node = nodes.pop()
        named = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if named and node.lineno <= line <= (node.end_lineno or 0):
            names.append(node.name)
            nodes = list(node.body)
    return ".".join(names) or "module"


# ------------------------------------------------------------------ tests


class Reporter:
    """A plugin that tells the parent which test is running, and ends the process with the first that fails or lasts."""

    pipe: int | None = None
    order: Callable[[pytest.Item], tuple[float, ...]] | None = None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Tests that were loaded anew are asked in the same order."""
        if self.order is not None:
            items.sort(key=self.order)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        if self.pipe is not None:
            os.write(self.pipe, f"{nodeid}\n".encode())
            signal.setitimer(signal.ITIMER_PROF, SECONDS)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test has ended."""
        if self.pipe is not None and report.failed:
            os._exit(1)


class Runner:
    """A plugin that runs the tests which pytest has loaded once for each mutant, instead of once."""

    def __init__(self, work: Callable[["Runner"], None]) -> None:
        self.work = work
        self.reporter = Reporter()
        self.reached: dict[pytest.Item, set[CodeType]] = {}
        self.seconds: dict[str, float] = {}
        self.found: Counter[tuple[str, ...]] = Counter()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All tests are loaded: begin, if they pass."""
        for item in session.items:
            began = time.process_time()
            self.reached[item] = _functions_called(lambda item=item: _run(item))
            self.seconds[item.nodeid] = time.process_time() - began
        gc.freeze()  # so that the children share it
        if not session.testsfailed:
            self.work(self)
        return True

    def killer_of(self, mutant: Mutant) -> str | None:
        """The test that a mutant fails, `import` when it cannot even be loaded, or None when it survives all.

        Those that found most of the function's other mutants are asked first, then of the module's, then the quickest.
        """
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self.reporter.pipe = writing
            self._test(mutant)
        os.close(writing)
        with open(reading) as pipe:
            started = pipe.read().splitlines()
        _, status = os.waitpid(child, 0)
        if status == 0:
            return None
        killer = started[-1] if started else "import"
        self.found.update([(mutant.module, mutant.function, killer), (mutant.module, killer)])
        return killer

    def _order(self, mutant: Mutant, test: str) -> tuple[float, ...]:
        of_function, of_module = self.found[mutant.module, mutant.function, test], self.found[mutant.module, test]
        return -of_function, -of_module, self.seconds[test]

    def _test(self, mutant: Mutant) -> NoReturn:
        """In the child: take the mutant in, run the tests that can tell, and end."""
        try:
            self.reporter.order = lambda item: self._order(mutant, item.nodeid)
            function = _function(sys.modules[mutant.name], mutant.function)
            if function is None:
                _replace_module(mutant)
                os._exit(pytest.main(PYTEST, [self.reporter]) != 0)
            items = [item for item, reached in self.reached.items() if function.__code__ in reached]
            _replace_function(function, mutant)
            for item in sorted(items, key=self.reporter.order):
                _run(item)
            os._exit(0)
        finally:
            os._exit(1)


def _run(item: pytest.Item) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)


def _functions_called(work: Callable[[], None]) -> set[CodeType]:
    called = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            called.add(frame.f_code)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return called


def _replace_function(function: FunctionType, mutant: Mutant) -> None:
    """Give a function the mutant's code, wherever it is known by now."""
    mutated = ModuleType(mutant.name)
    mutated.__package__ = PACKAGE
    exec(mutant.source, vars(mutated))  # noqa: S102 - to run it is what a mutant is made for
    new = _function(mutated, mutant.function)
    if new is None:
        raise LookupError(f"{mutant.function} is no function any more")
    for part in ("__code__", "__defaults__", "__kwdefaults__"):
        setattr(function, part, getattr(new, part))


def _function(module: ModuleType, path: str) -> FunctionType | None:
    """The outermost function on a path of names such as `View.pin`."""
    found: object = module
    for name in path.split("."):
        found = vars(found).get(name)
        if isinstance(found, property | cached_property):
            found = found.fget if isinstance(found, property) else found.func
        if found is None or isinstance(found, FunctionType):
            return found
    return None


class Loader(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Loads a mutant where its module is asked for."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """Answer for the mutant's module only."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.mutant.name else None

    def get_source(self, fullname: str) -> str:
        """The mutant's source."""
        return self.mutant.source


def _replace_module(mutant: Mutant) -> None:
    """Let the core and its tests be loaded anew, with the mutant among them."""
    for name in [name for name in sys.modules if name.startswith((PACKAGE, "tests."))]:
        del sys.modules[name]
    sys.meta_path.insert(0, Loader(mutant))


# ------------------------------------------------------------------ report


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
        paths = sorted(path for path in SOURCES.glob("*.py") if not self.modules or path.stem in self.modules)
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

    def close(self) -> int:
        """Say what is to be done; 1 when something is."""
        if not self.began:
            print("The tests fail without any mistake: make dev/python.sh -m pytest tests/rollout pass first.")
            return 1
        total = {name: sum(row[name] for row in self.rows) for name in COLUMNS}
        print(f"  {'all':<12}" + "".join(f"{total[name]:6} {name}" for name in COLUMNS))
        new = set(self.survivors) - self.known
        asked = {key for key in self.known if not self.modules or key.split("`")[1] in self.modules}
        gone = sorted(asked - set(self.survivors))
        if new:
            print(f"The survivors above are not in {EXPLANATIONS}: write tests that find them, or say why none can.")
        if gone:
            print(f"These are explained in {EXPLANATIONS}, but survive no more; take them out there:")
            print(*(f"- {key}" for key in gone), sep="\n")
        return 1 if new or gone else 0


def main(copy: str, *modules: str) -> int:
    """Test the mutants of these modules, or of all."""
    report = Report(modules)
    os.chdir(copy)
    sys.path[:3] = [str(Path(folder).resolve()) for folder in ("operator", "serving-image", ".")]
    runner = Runner(report.fill)
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
        pytest.main(PYTEST, [runner.reporter, runner])
    return report.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[2:]))
