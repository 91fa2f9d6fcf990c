"""``viridian import MODEL --sample FILE``: from the model that somebody has to a version that can be served."""

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from viridian_import.checks.golden import FILE as GOLDEN
from viridian_import.checks.golden import dump
from viridian_import.checks.local import check
from viridian_import.commands.checking import tell
from viridian_import.faults import ImportFault
from viridian_import.learn.baseline import baseline
from viridian_import.learn.draft import Draft, draft
from viridian_import.learn.features import choose
from viridian_import.learn.sensitive import looks_sensitive
from viridian_import.messages import Answers, Source
from viridian_import.original.detection import Found, detect
from viridian_import.original.process import OriginalModel
from viridian_import.prove.conversion import Converted, convert
from viridian_import.prove.probes import Case, Trial, trial_of, without_each
from viridian_import.prove.speed import Speed, measure
from viridian_import.sample.reading import read_table
from viridian_import.sample.table import Table
from viridian_import.write.card import Facts, card, size_of
from viridian_import.write.folder import claim, staged, write_json
from viridian_import.write.golden import golden_lines
from viridian_import.write.manifest import manifest
from viridian_model.digest import digest_of
from viridian_serving.local_model import NAME
from viridian_serving.schema import Kind

_VERSION: Final = re.compile(r"v?[0-9]+(\.[0-9]+){0,2}([-+][0-9A-Za-z.+-]+)?|[0-9a-f]{7,64}")
_COMMON: Final = ("model", "pipeline", "clf", "estimator", "best-model")
"""Names of files that say nothing of what the model is for."""
_MOST_NOTICED: Final = 3
"""Rows of the sample that a notice names."""


def add_to(commands: Any) -> None:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command to the command line."""
    parser = commands.add_parser(
        "import",
        help="make a version that can be served of a model file",
        description="Converts a model to ONNX, proves that it answers as the original, and writes a version's folder.",
    )
    add = parser.add_argument
    add("model", type=Path, help="a model's file or folder")
    add(
        "--sample",
        type=Path,
        required=True,
        help="rows like those that the model was trained with: CSV, Parquet, JSON lines",
    )
    add("--target", help="the column of the sample that the model predicts")
    add(
        "--dtype",
        action="append",
        default=[],
        type=_dtype,
        metavar="COLUMN=TYPE",
        help="read a column as string, number, integer or boolean",
    )
    add("--name", type=_name, help="name of the model (by its file)")
    add("--version", type=_version, default="v1.0.0", help="its version (v1.0.0)")
    add("--out", type=Path, help="folder to write (NAME/VERSION)")
    add(
        "--uri",
        type=_uri,
        help="where the pods will find the files: image:///PATH or pvc://CLAIM/PATH (image:///models/NAME/VERSION)",
    )
    add("--trusted", action="store_true", help="load a pickle, which runs the code that is in it")
    add("--code", type=Path, help="folder with modules of your own that the model needs")
    add(
        "--tolerance",
        type=_positive,
        default=1e-4,
        help="largest difference of numbers: absolute below 1, relative above (1e-4)",
    )
    add("--no-check", action="store_true", help="do not serve the version here once it is written")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Import a model; see main()."""
    found = detect(given.model)
    if found.source is Source.PICKLE and not given.trusted:
        raise ImportFault(_untrusted(found.path))
    name = given.name or _name_of(found.path)
    folder = given.out or Path(name, given.version)
    claim(folder)
    sample = read_table(given.sample, dict(given.dtype))
    with (
        OriginalModel(found.path, found.source, given.code) as original,
        tempfile.TemporaryDirectory(prefix="viridian-onnx-") as scratch,
    ):
        work = _prove(found, original, sample, given, Path(scratch))
        say("faithful", _parity(work))
        speed = measure(original, work.converted.side, work.features, work.converted.contract)
        for each in speed:
            rows = f"{each.rows} row{'s' if each.rows > 1 else ''}"
            say("speed", f"{rows}: original {each.original:,.0f} µs, ONNX {each.onnx:,.0f} µs")
        digest = _write(work, speed, name, folder, given)
    say("digest", digest)
    if given.no_check:
        return 0
    return tell(check(folder))


@dataclass(frozen=True)
class _Work:
    """What was found out before anything is written."""

    found: Found
    original: OriginalModel
    features: Table
    trial: Trial
    answers: Answers
    drafts: Sequence[Draft]
    converted: Converted
    notices: Sequence[str]


def _prove(found: Found, original: OriginalModel, sample: Table, given: argparse.Namespace, scratch: Path) -> _Work:
    description = original.description
    say("model", f"{description.model} ({description.task})")
    say("apart", f"it runs in a process of its own, {description.network}, and without your environment variables")
    chosen = choose(sample, description, given.target)
    sensitive = [each for each in chosen.features.names if looks_sensitive(each)]
    refused = original.answer(without_each(chosen.features)).refused
    unmissable = [name for row, name in enumerate(chosen.features.names) if row in refused]
    strings = [column.name for column in chosen.features.columns if column.kind is Kind.STRING]
    trial = trial_of(chosen.features, sensitive, set(strings) - set(unmissable))
    say("sample", f"{sample.rows} rows, {len(chosen.features.columns)} features; {trial.table.rows} rows to compare")
    answers = original.answer(trial.table)
    notices = [*description.notices, *chosen.notices, *_refused(trial, answers)]
    for notice in notices:
        say("notice", notice)
    closed = [trial.probes[row].feature for row in trial.rows(Case.UNSEEN) if row in answers.refused]
    drafts = draft(chosen.features, closed, unmissable)
    converted = convert(original, trial, answers, drafts, scratch, given.tolerance)
    return _Work(found, original, chosen.features, trial, answers, drafts, converted, notices)


def _refused(trial: Trial, answers: Answers) -> list[str]:
    rows = trial.rows(Case.SAMPLE)
    refused = [row for row in rows if row in answers.refused]
    if not refused:
        return []
    words = answers.refused[refused[0]]
    if len(refused) == len(rows):
        raise ImportFault(
            f"the original fails every row of the sample ({words}); give rows as it was trained with: the same "
            "columns, and types that --dtype COLUMN=TYPE sets right"
        )
    named = ", ".join(str(row + 1) for row in refused[:_MOST_NOTICED])
    more = f" and {len(refused) - _MOST_NOTICED} more" if len(refused) > _MOST_NOTICED else ""
    return [f"the original fails row {named}{more} of the sample ({words})"]


def _write(work: _Work, speed: Sequence[Speed], name: str, folder: Path, given: argparse.Namespace) -> str:
    converted, description = work.converted, work.original.description
    written = golden_lines(
        work.trial, work.answers, description.outputs, converted.gate, converted.contract, given.tolerance
    )
    lines = list(written)
    sample = next((line.request for line in lines if line.status == 200), None)
    counted = {str(case): len(work.trial.rows(case)) for case in Case if work.trial.rows(case)}
    facts = Facts(
        name=name,
        version=given.version,
        source=work.found.path.name,
        description=description,
        plan=converted.plan,
        size=converted.file.stat().st_size,
        parity=converted.parity,
        tolerance=given.tolerance,
        speed=speed,
        rows=work.features.rows,
        drafts=work.drafts,
        cases=counted,
        notices=work.notices,
    )
    answered = {each.name: work.answers.values[each.name][: work.features.rows] for each in description.outputs}
    with staged(folder) as staging:
        (staging / "model.onnx").write_bytes(converted.file.read_bytes())
        (staging / "schema.yaml").write_text(converted.schema, encoding="utf-8")
        if sample is not None:
            write_json(staging / "sample.json", sample)
        (staging / GOLDEN).write_bytes(dump(lines))
        write_json(staging / "baseline.json", baseline(work.features, work.drafts, description.outputs, answered))
        (staging / "MODEL_CARD.md").write_text(card(facts), encoding="utf-8")
    digest = digest_of(folder)
    file = folder.parent / f"{folder.name}.yaml"
    uri = given.uri or f"image:///models/{name}/{given.version}"
    file.write_text(
        manifest(name=name, version=given.version, uri=uri, digest=digest, form="onnx", file=str(file)),
        encoding="utf-8",
    )
    say("written", f"{folder} (model.onnx has {size_of(facts.size)}) and {file}")
    return digest


def _parity(work: _Work) -> str:
    parity = work.converted.parity
    return (
        f"{parity.compared} rows alike in {work.converted.plan.describe()}: largest difference {parity.largest:.2g}, "
        f"median {parity.median:.2g}, labels that differ {parity.disagreements}; refused by both {parity.refused}"
    )


def say(what: str, text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{what:<9} {text}\n")
    sys.stdout.flush()


def _untrusted(path: Path) -> str:
    return (
        f"{path} is a pickle, and loading one runs the code that is in it, with all that you may do. If you trust "
        "whoever made it, add --trusted: it is loaded in a process of its own, without network and without your "
        "environment variables, but with your files. Or save the model with skops, which runs no code: "
        "skops.io.dump(model, 'model.skops')"
    )


def _name_of(path: Path) -> str:
    for word in (path.stem, path.absolute().parent.name):
        name = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:57].strip("-")
        if NAME.fullmatch(name) and name not in _COMMON:
            return name
    return "model"


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name of a model; write at most 57 lower-case letters, digits and dashes, a letter first"
        )
    return text


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no version; write one such as v1.3.0, or a commit hash")
    return text


def _dtype(text: str) -> tuple[str, Kind]:
    name, _, kind = text.rpartition("=")
    if not name or kind not in list(Kind):
        raise argparse.ArgumentTypeError(f"{text!r} is no COLUMN=TYPE; write for example zip=string")
    return name, Kind(kind)


def _uri(text: str) -> str:
    if not re.fullmatch(r"image:///\S+|pvc://[a-z0-9][-.a-z0-9]*/\S+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no image:///PATH and no pvc://CLAIM/PATH")
    return text


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between 0 and 1; write one such as 1e-4")
    return number
