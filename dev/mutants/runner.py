"""Runs the tests once for each mutant, in a process that is forked from the one which has loaded them."""

import gc
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import NoReturn

import pytest
from mistakes import NAME, PACKAGE, Mutant

PYTEST = ["-s", "-p", "no:cacheprovider", "--deselect=tests/rollout/test_invariants.py::TestRollouts", f"tests/{NAME}"]
"""All tests but the state machine, which takes seconds for each mutant and goes another way each time."""
SECONDS = 10
"""Processor time after which a test that does not end has found its mutant, too."""


class Reporter:
    """A plugin that tells the parent which test is running, and ends the process with the first that fails or lasts."""

    pipe: int | None = None
    order: Callable[[pytest.Item], tuple[float, ...]] | None = None

    def __init__(self) -> None:
        self.failed: list[str] = []

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
        if report.failed:
            if self.pipe is not None:
                os._exit(1)
            self.failed.append(report.nodeid)


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
    mutated.__package__ = mutant.package
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
