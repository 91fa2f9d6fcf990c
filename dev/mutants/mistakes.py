"""The small mistakes that can be made in a module: mutmut's, and some of our own."""

import ast
import difflib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
import libcst.matchers as m
from mutmut.mutation import mutators
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.pragma_handling import IgnoredCode

NAME = os.environ.get("PACKAGE") or "rollout"
PACKAGE = f"viridian.{NAME}"


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

    package: str
    module: str
    function: str
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        """The module's full name."""
        return f"{self.package}.{self.module}"

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
            yield _described(path, source, mutated)


def _meaning(source: str) -> str:
    return ast.dump(ast.parse(source)).replace("Constant(value=None)", "Constant(value=False)")


def _mutated(module: cst.Module, mutation: Mutation) -> str:
    mutated = module.deep_replace(mutation.original_node, mutation.mutated_node)
    return mutated.code if isinstance(mutated, cst.Module) else ""


def _described(path: Path, source: str, mutated: str) -> Mutant:
    before, after = source.splitlines(), mutated.splitlines()
    changes = [c for c in difflib.SequenceMatcher(None, before, after, False).get_opcodes() if c[0] != "equal"]
    first, last = changes[0], changes[-1]
    old, new = before[first[1] : last[2]], after[first[3] : last[4]]
    package = ".".join(path.parent.parts[1:])  # below the folder `operator`
    return Mutant(package, path.stem, _function_at(source, first[1] + 1), _in_one_line(old), _in_one_line(new), mutated)


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
