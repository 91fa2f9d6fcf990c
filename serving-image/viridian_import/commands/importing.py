"""``viridian import MODEL --sample FILE``: from the model that somebody has to a version that can be served."""

import argparse
import math
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from viridian_import.checks.local import check
from viridian_import.commands import bins, dtypes, uploading
from viridian_import.commands.checking import tell
from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Source
from viridian_import.original.detection import Found, detect
from viridian_import.original.process import OriginalModel
from viridian_import.prove.conversion import Converted
from viridian_import.prove.native import form_of, native
from viridian_import.prove.profile import profile
from viridian_import.prove.quantization import Quantized, quantize
from viridian_import.prove.speed import Speed, measure
from viridian_import.prove.study import Study, learn, study
from viridian_import.sample.reading import check_target, read_table
from viridian_import.sample.table import Table
from viridian_import.write.card import size_of
from viridian_import.write.folder import claim
from viridian_import.write.requirements import lock
from viridian_import.write.version import Identity, converted_content, native_content, write_version
from viridian_serving.artifacts.detect import NAME
from viridian_serving.codec.tensors import Kind
from viridian_serving.commands.serve import model_name
from viridian_serving.contract.baseline_file import Baseline
from viridian_shared.words import count

_VERSION: Final = re.compile(r"v?[0-9]+(\.[0-9]+){0,2}([-+][0-9A-Za-z.+-]+)?|[0-9a-f]{7,64}")
_COMMON: Final = ("model", "pipeline", "clf", "estimator", "best-model")
"""Names of files that say nothing of what the model is for."""
_RUNNING_CODE: Final = {
    Source.PICKLE: "a pickle, and loading one runs the code that is in it, with all that you may do",
    Source.TORCH: "a program of PyTorch, whose operators may read and write files",
    Source.KERAS: "a model of TensorFlow, whose operators may read and write files",
}
"""What loading a file means, by its kind, where that can do harm."""


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
    dtypes.add_to(parser)
    add("--name", type=model_name, help="name of the model (by its file)")
    add("--version", type=_version, default="v1.0.0", help="its version (v1.0.0)")
    add("--out", type=Path, help="folder to write (NAME/VERSION)")
    add(
        "--uri",
        type=_uri,
        help="where the pods will find the files: image:///PATH or pvc://CLAIM/PATH (image:///models/NAME/VERSION)",
    )
    uploading.add_to(parser)
    add("--trusted", action="store_true", help="load a pickle, which runs the code that is in it")
    add("--code", type=_folder, help="folder with modules of your own that the model needs")
    add("--python", type=_file, help="a Python that has tensorflow and tf2onnx, which models of Keras need")
    add(
        "--tolerance",
        type=_positive,
        default=1e-4,
        help="largest difference of numbers: absolute below 1, relative above (1e-4)",
    )
    add("--quantize", choices=("int8",), help="numbers of 8 bits, where that is measured to be faster and as good")
    add(
        "--max-accuracy-loss",
        type=_points,
        default=0.5,
        metavar="POINTS",
        help="what int8 may lose on the sample: percent of right labels, or of R² (0.5)",
    )
    add("--profile", action="store_true", help="print where the time of a prediction goes, by node of the ONNX graph")
    add("--native", action="store_true", help="serve it by its own library, from a serving image that has that")
    add("--requirements", type=_file, help="with --native: your requirements.txt with hashes, in place of a new one")
    bins.add_to(parser)
    add("--no-check", action="store_true", help="do not serve the version here once it is written")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Import a model; see main()."""
    upload = uploading.prepare(given)
    imported = import_model(given)
    if not given.no_check and (code := tell(check(imported.folder, trusted=given.trusted))):
        return code
    if upload is not None:
        count = upload.put(imported.folder)
        say("uploaded", f"{count} files to {upload.source.uri}")
        say("next", uploading.advice(upload.source, imported.manifest))
    return 0


@dataclass(frozen=True)
class Imported:
    """A version that was written."""

    folder: Path
    manifest: Path
    digest: str
    found: Study | None = None
    """Where it was converted."""
    speed: Sequence[Speed] = ()


def import_model(given: argparse.Namespace) -> Imported:
    """Make a version of a model.

    Args:
        given: Of the command line.

    Returns:
        The version; its folder is written.

    Raises:
        ImportFault: It cannot be made; nothing is written.
    """
    source = detect(given.model)
    if source.source in _RUNNING_CODE and not given.trusted:
        raise ImportFault(_untrusted(source.path, _RUNNING_CODE[source.source]))
    _refuse_contradictions(given, source)
    identity, kept = _identity(given), bins.read(given.bins)
    claim(identity.folder)
    sample = read_table(given.sample, dict(given.dtype), dtypes.OPTION)
    check_target(given.target, sample)
    if given.native:
        return _native(given, source, identity, sample, kept)
    with (
        _original(given, source) as original,
        tempfile.TemporaryDirectory(prefix="viridian-onnx-") as scratch,
    ):
        sample = _as_learnt(given, sample, original.description)
        found = study(original, sample, given.target, given.tolerance, Path(scratch), say)
        say("faithful", _parity(found.converted))
        speed = measure(original, found.converted.side, found.answered, found.converted.contract)
        for each in speed:
            say("speed", f"{each.size}: original {each.original:,.0f} µs, ONNX {each.onnx:,.0f} µs")
        if given.profile:
            (row,) = found.converted.side.feeds(found.answered.take([0]), found.converted.contract)
            measured = profile(found.converted.file, row, Path(scratch))
            say("profile", f"a call with 1 row, {measured.total:,.0f} µs while it is measured:\n{measured.table()}")
        smaller = _quantized(found, sample, speed, given) if given.quantize else None
        content = converted_content(identity, found, smaller, given.tolerance, speed)
        digest = write_version(identity, found, content, kept)
        size = size_of((smaller or found.converted).file.stat().st_size)
    say("written", f"{identity.folder} (model.onnx has {size}) and {identity.manifest}")
    say("digest", digest)
    return Imported(identity.folder, identity.manifest, digest, found, speed)


def _refuse_contradictions(given: argparse.Namespace, source: Found) -> None:
    """Refuse what would be refused after minutes.

    Raises:
        ImportFault: Options contradict each other, or what the model is.
    """
    if given.native:
        form_of(source.source)
        if code := given.code or source.code:
            raise ImportFault(
                f"--native serves what packages bring, and pods have no modules of {code}"
                f"{' (--code)' if given.code else ''}; make a package of them, install it here, and name it in the "
                "file of --requirements; or leave --native out"
            )
        if given.quantize or given.profile:
            raise ImportFault("--quantize and --profile are of ONNX files; leave them out, or --native")
    elif given.requirements:
        raise ImportFault("--requirements is what a model needs that is served by its own library; add --native")
    if given.quantize and given.target is None:
        raise ImportFault("--quantize measures accuracy on the sample; name the column to predict with --target")


def _as_learnt(given: argparse.Namespace, sample: Table, description: Description) -> Table:
    """Return the sample with texts where the model has learnt texts, although they look like numbers."""
    kinds = dict(given.dtype)
    learnt = set(description.texts)
    if given.target and description.classes and all(isinstance(each, str) for each in description.classes):
        learnt.add(given.target)
    texts = [
        each.name for each in sample.columns if each.kind is not Kind.STRING and each.name in learnt - kinds.keys()
    ]
    for name in texts:
        say("notice", f"{name} looks like a number, and is read as text, as the model has learnt it")
    kinds |= dict.fromkeys(texts, Kind.STRING)
    for notice in dtypes.codes(given.sample, sample, kinds):
        say("notice", notice)
    return read_table(given.sample, kinds, dtypes.OPTION) if texts else sample


def _original(given: argparse.Namespace, source: Found) -> OriginalModel:
    """Start the process that runs the model.

    Raises:
        ImportFault: It cannot be loaded, or needs a Python that was not named.
    """
    python = str(given.python.absolute()) if given.python else ""
    if source.source is Source.KERAS and not python:
        raise ImportFault(
            f"{source.path} is a model of TensorFlow, which converts it in a Python of your own. Make one, unless you "
            "have it: python3 -m venv ~/tensorflow && ~/tensorflow/bin/pip install tensorflow-cpu tf2onnx; and name "
            "it: --python ~/tensorflow/bin/python"
        )
    code = given.code or source.code
    return OriginalModel(source.path, source.source, trusted=given.trusted, code=code, python=python)


def _native(given: argparse.Namespace, source: Found, identity: Identity, sample: Table, kept: Baseline) -> Imported:
    with _original(given, source) as original:
        sample = _as_learnt(given, sample, original.description)
        learned = learn(original, sample, given.target, say)
    found = native(learned, source.source, f"model{source.path.suffix}")
    requirements = (
        given.requirements.read_text(encoding="utf-8") if given.requirements else lock(learned.description.versions)
    )
    content = native_content(identity, learned, found, source.path, requirements)
    digest = write_version(identity, learned, content, kept)
    say("written", f"{identity.folder} (format {found.form}, served by its own library) and {identity.manifest}")
    say("digest", digest)
    return Imported(identity.folder, identity.manifest, digest)


def _quantized(found: Study, sample: Table, speed: Sequence[Speed], given: argparse.Namespace) -> Quantized:
    target = sample[given.target]
    if unlabelled := target.values.count(None):
        say("notice", f"{count(unlabelled, 'row')} of the sample without {target.name}: accuracy is that of the others")
    quantized = quantize(found, target, speed)
    say("int8", quantized.describe(found.converted.file.stat().st_size))
    if refusal := quantized.refusal(given.max_accuracy_loss):
        raise ImportFault(f"int8 is not used: {refusal}; leave --quantize out to import the float model")
    if other := len(quantized.parity.differences):
        say("notice", f"int8 gives {count(other, 'row')} another label than your model; golden.jsonl leaves them out")
    return quantized


def _identity(given: argparse.Namespace) -> Identity:
    name = given.name or _name_of(given.model)
    folder = given.out or Path(name, given.version)
    uri = given.upload or given.uri or f"image:///models/{name}/{given.version}"
    return Identity(name, given.version, given.model.name, folder, uri, uploading.settings(given))


def _parity(converted: Converted) -> str:
    parity = converted.parity
    return (
        f"{parity.compared} rows alike in {converted.plan.describe()}: largest difference {parity.largest:.2g}, "
        f"median {parity.median:.2g}, labels that differ {parity.disagreements}; refused by both {parity.refused}"
        + (f", by schema.yaml alone {len(parity.kept_out)}" if parity.kept_out else "")
    )


def say(what: str, text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{what:<9} {text}\n")
    sys.stdout.flush()


def _untrusted(path: Path, what: str) -> str:
    return (
        f"{path} is {what}. If you trust its author, add --trusted: it is loaded in a separate process, without "
        "network and without your environment variables, but with your files"
        + (
            ". Or save the model with skops, which runs no code: skops.io.dump(model, 'model.skops')"
            if "pickle" in what
            else ""
        )
    )


def _name_of(path: Path) -> str:
    for word in (path.stem, path.absolute().parent.name):
        name = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:57].strip("-")
        if NAME.fullmatch(name) and name not in _COMMON:
            return name
    return "model"


def _points(text: str) -> float:
    points = _number(text)
    if not -100 <= points <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of points up to 100; write one such as 0.5")
    return points


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return Path(text)


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no version; write one such as v1.3.0, or a commit hash")
    return text


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return Path(text)


def _uri(text: str) -> str:
    if not re.fullmatch(r"image:///\S+|pvc://[a-z0-9][-.a-z0-9]*/\S+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no image:///PATH and no pvc://CLAIM/PATH")
    return text


def _positive(text: str) -> float:
    number = _number(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between 0 and 1; write one such as 1e-4")
    return number


def _number(text: str) -> float:
    """The number that a text is; not a number, which is within no bounds, where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
