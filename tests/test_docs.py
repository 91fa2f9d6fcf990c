"""What the documentation says of tests, reasons and other pages is true."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.harness.page import blocks

from viridian.api.errors import ConfigurationError, ViridianError
from viridian.kube.errors import Refused, Unavailable

TESTS = Path(__file__).parent
OPERATOR = TESTS.parent / "operator" / "viridian"
STATUS = TESTS.parent / "docs" / "guides" / "troubleshooting.md"
REASON = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
SAY_A_REASON = {"_Claim", "held", "Notice", "warn"}
"""Functions of which an argument is the reason of a condition, of a hold or of an Event."""
COMPATIBILITY = TESTS.parent / "docs" / "reference" / "compatibility.md"
ARCHITECTURE = TESTS.parent / "docs" / "explanation" / "architecture.md"
NAMED = re.compile(r"`((?:[a-z0-9_]+/)+test_\w+\.py)(?:: (\w+))?`")
"""A test as the documentation names it: its file below `tests/`, and its function."""


ROOT = TESTS.parent
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
"""A link of Markdown: its target and its anchor."""
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[str]:
    """Every page that a reader may come to, by its path from the top of the repository."""
    folders = ("docs", "dev", "examples", "serving-image", ".github")
    found = [*ROOT.glob("*.md"), *(page for folder in folders for page in (ROOT / folder).rglob("*.md"))]
    return sorted(str(page.relative_to(ROOT)) for page in found)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = [re.sub(r"[`*]", "", title).lower() for title in HEADING.findall(CODE.sub("", page.read_text()))]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", pages())
def test_links_lead_to_files_and_headings_that_exist(page: str) -> None:
    # given
    here = ROOT / page
    links = [link for link in LINK.findall(CODE.sub("", here.read_text())) if "://" not in link[0]]
    # when
    missing = [target for target, _ in links if not (here.parent / target).exists()]
    lost = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor and (there := here.parent / target if target else here).suffix == ".md"
        if there.exists() and anchor not in anchors(there)
    ]
    # then
    assert (missing, lost) == ([], [])


def test_every_target_of_make_that_a_page_names_exists() -> None:
    # given
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    # when
    named = {
        target
        for page in pages()
        for target in re.findall(r"(?:`|\$\(|^)make (?:-s )?([a-z][a-z0-9-]*)", (ROOT / page).read_text(), re.MULTILINE)
    }
    # then
    assert {"demo", "images", "sbom"} <= named
    assert named - targets == set()


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target, _ in LINK.findall(index.read_text()) if target}
    assert {page for page in index.parent.rglob("*.md") if page != index} - linked == set()


def pinned(package: str) -> str:
    """The version of a Python package in the hash-checked lists."""
    lists = "".join((ROOT / "requirements" / f"{name}.txt").read_text() for name in ("serving", "dev"))
    return re.findall(rf"^{package}==(\S+)", lists, re.MULTILINE)[0]


@pytest.mark.parametrize(
    "setting",
    [
        "KUBERNETES_VERSION",
        "GATEWAY_API_VERSION",
        "CONTOUR_VERSION",
        "ENVOY_VERSION",
        "HELM_VERSION",
        "PROMETHEUS_VERSION",
        "PROMETHEUS_OPERATOR_VERSION",
        "PROM_LABEL_PROXY_VERSION",
        "OTEL_COLLECTOR_VERSION",
        "KIND_VERSION",
    ],
)
def test_the_compatibility_matrix_has_the_versions_of_the_tools(setting: str) -> None:
    version = re.findall(rf"^{setting}=(\S+)", (ROOT / "dev" / "versions.env").read_text(), re.MULTILINE)[0]
    assert f" {version}" in COMPATIBILITY.read_text()


@pytest.mark.parametrize("package", ["nvidia-pytriton", "onnxruntime", "numpy", "skl2onnx"])
def test_the_compatibility_matrix_has_the_versions_of_the_packages(package: str) -> None:
    assert f" {pinned(package)}" in COMPATIBILITY.read_text()


def named() -> list[tuple[str, str]]:
    return sorted(set(NAMED.findall(ARCHITECTURE.read_text())))


@pytest.mark.parametrize(("file", "name"), named())
def test_every_test_that_the_rules_name_is_there(file: str, name: str) -> None:
    text = (TESTS / file).read_text()
    assert not name or re.search(rf"^\s*(async )?def {name}\(", text, re.MULTILINE)


def test_every_rule_has_a_test() -> None:
    rules = ARCHITECTURE.read_text().partition("## Rules and their tests")[2]
    rows = [row for row in rules.splitlines() if row.startswith("| ") and not row.startswith("| rule")]
    assert len(rows) >= 70
    for row in rows:
        assert NAMED.search(row) or "`World." in row, row


def reasons() -> set[str]:
    """What the code can put into the reason of a condition or an Event, or into the result of a rollout."""
    trees = [ast.parse(file.read_text()) for file in (OPERATOR / "rollout").rglob("*.py")]
    found = {text for tree in trees for text in compound_words(tree)}
    for file in OPERATOR.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and name_of(node.func) in SAY_A_REASON:
                found.update(words(node.args))
            if isinstance(node, ast.keyword) and node.arg in {"reason", "result"}:
                found.update(words([node.value]))
    # The reason of what keeps the operator from looking after a model is the name of the error.
    ours = {error for error in ViridianError.__subclasses__() if error.__module__ == ViridianError.__module__}
    return found | {error.__name__ for error in {*ours, Refused, Unavailable} - {ConfigurationError}}


def compound_words(tree: ast.AST) -> Iterator[str]:
    for text in words(list(ast.walk(tree))):
        if re.search("[a-z][A-Z]", text):
            yield text


def words(nodes: list[ast.AST] | list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and REASON.fullmatch(node.value):
            yield node.value


def name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_every_reason_that_the_code_can_say_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", STATUS.read_text()))
    assert len(reasons()) > 40
    assert reasons() - explained == set()


def test_every_reason_with_a_row_is_in_the_index_of_reasons() -> None:
    # given
    before, _, after = STATUS.read_text().partition("## Index of reasons\n")
    index, _, sections = after.partition("\n## ")
    # when
    tables = [part for part in sections.split("\n\n") if part.startswith("| reason")]
    rows = {
        reason
        for table in tables
        for row in table.splitlines()
        for reason in re.findall(r"`(\w+)`", row.split(" | ")[0])
    }
    # then
    assert before
    assert len(rows) > 30
    assert rows - set(re.findall(r"`(\w+)`", index)) == set()


def test_the_blocks_of_the_page_that_is_followed_word_for_word_are_whole() -> None:
    found = blocks((ROOT / "docs" / "guides" / "from-notebook-to-canary.md").read_text())
    for block in found:
        if block.language == "sh":
            subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
        else:
            ast.parse(block.text)
    assert [block.language for block in found].count("python") >= 3
    assert {block.heading[:2] for block in found} == {f"{step}." for step in range(1, 9)}
