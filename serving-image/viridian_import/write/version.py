"""Writes a version: its folder, and the ModelDeployment beside it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from viridian_import.learn.baseline import baseline
from viridian_import.prove.native import Native
from viridian_import.prove.quantization import Quantized
from viridian_import.prove.speed import Speed
from viridian_import.prove.study import Learned, Study
from viridian_import.write.card import Facts, card
from viridian_import.write.folder import staged, write_json
from viridian_import.write.golden import golden_lines
from viridian_import.write.manifest import manifest
from viridian_serving.artifacts.golden_file import GOLDEN_FILE
from viridian_serving.artifacts.locate import MODEL_FILE, NATIVE_FILE
from viridian_serving.checks.golden import Golden, dump
from viridian_serving.contract.baseline_file import Baseline
from viridian_serving.triton.native_model import runs_code
from viridian_shared.digest import digest_of


@dataclass(frozen=True)
class Identity:
    """What a version is called, and where."""

    name: str
    version: str
    source: str
    """Name of the file that is imported."""
    folder: Path
    uri: str
    store: Mapping[str, str] = field(default_factory=dict)
    """How to reach the store of that address, as in spec.model.store."""

    @property
    def manifest(self) -> Path:
        """File of the ModelDeployment: it has the folder's digest, and so cannot be in it."""
        return self.folder.parent / f"{self.folder.name}.yaml"


@dataclass(frozen=True)
class Content:
    """What is in a version's folder."""

    schema: str
    golden: Sequence[Golden]
    card: str
    files: Mapping[str, Path]
    """To copy, by their names in the folder: the model, and what belongs to it."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """To write, by their names."""
    form: str = "onnx"
    """The format."""
    trusted: bool = False
    """Whether loading it runs code, so that whoever applies the manifest says that it is trusted."""


def write_version(identity: Identity, learned: Learned, content: Content, bins: Baseline) -> str:
    """Write all files, or none.

    Args:
        identity: What it is called. Its folder is not there yet.
        learned: What was found out about the original.
        content: What is in the folder.
        bins: Another version's baseline, whose edges are kept.

    Returns:
        The digest of the folder.

    Raises:
        ImportFault: Something cannot be written.
    """
    sample = next((line.request for line in content.golden if line.status == 200), None)
    with staged(identity.folder) as staging:
        for name, file in content.files.items():
            shutil.copyfile(file, staging / name)
        for name, text in {"schema.yaml": content.schema, "MODEL_CARD.md": content.card, **content.texts}.items():
            (staging / name).write_text(text, encoding="utf-8")
        if sample is not None:
            write_json(staging / "sample.json", sample)
        (staging / GOLDEN_FILE).write_bytes(dump(content.golden))
        write_json(staging / "baseline.json", _baseline(learned, bins))
    digest = digest_of(identity.folder)
    text = manifest(
        name=identity.name,
        version=identity.version,
        uri=identity.uri,
        store=identity.store,
        digest=digest,
        form=content.form,
        trusted=content.trusted,
        file=identity.manifest.name,
    )
    identity.manifest.write_text(text, encoding="utf-8")
    return digest


def converted_content(
    identity: Identity, found: Study, smaller: Quantized | None, tolerance: float, speed: Sequence[Speed]
) -> Content:
    """Return the content of a version that was converted to ONNX.

    Args:
        identity: What it is called.
        found: What was found out.
        smaller: The model in 8 bits, if that is what is served.
        tolerance: How far apart numbers may be.
        speed: What was measured.
    """
    converted = found.converted
    beside = [each for each in converted.file.parent.iterdir() if each.suffix != ".onnx" and each.is_file()]
    model = (smaller or converted).file
    facts = Facts(
        name=identity.name,
        version=identity.version,
        source=identity.source,
        description=found.description,
        plan=converted.plan if found.description.convertible else None,
        size=model.stat().st_size,
        parity=converted.parity,
        tolerance=tolerance,
        speed=speed,
        rows=found.features.rows,
        drafts=found.drafts,
        cases=found.trial.counts(converted.parity.answered),
        notices=found.notices,
        quantized=f"int8: {smaller.describe(converted.file.stat().st_size)}; the figures below are of the float model"
        if smaller
        else "",
    )
    files = {MODEL_FILE: model, **{each.name: each for each in beside}}
    return Content(converted.schema, _golden(found, smaller, tolerance), card(facts), files)


def native_content(identity: Identity, learned: Learned, native: Native, file: Path, requirements: str) -> Content:
    """Return the content of a version that is served by its own library.

    Args:
        identity: What it is called.
        learned: What was found out about the original.
        native: What its library is told.
        file: The model.
        requirements: What the serving image needs for it: a requirements.txt with hashes.
    """
    lines = golden_lines(
        learned.trial, learned.answers, learned.description.outputs, native.gate, native.contract, _NATIVE_TOLERANCE
    )
    facts = Facts(
        name=identity.name,
        version=identity.version,
        source=identity.source,
        description=learned.description,
        plan=None,
        size=file.stat().st_size,
        parity=None,
        tolerance=_NATIVE_TOLERANCE,
        speed=(),
        rows=learned.features.rows,
        drafts=learned.drafts,
        cases={},
        notices=learned.notices,
    )
    return Content(
        native.schema,
        [line for _, line in lines],
        card(facts),
        {native.described["file"]: file},
        {
            NATIVE_FILE: msgspec.json.format(msgspec.json.encode(native.described)).decode() + "\n",
            "requirements.txt": requirements,
        },
        native.form,
        runs_code(native.described["file"], native.form),
    )


_NATIVE_TOLERANCE = 1e-9
"""How far apart numbers may be that the same library answers, for one row and for many."""


def _golden(found: Study, smaller: Quantized | None, tolerance: float) -> list[Golden]:
    converted, outputs = found.converted, found.description.outputs
    lines = golden_lines(found.trial, found.answers, outputs, converted.gate, converted.contract, tolerance)
    if smaller is None:
        return [line for _, line in lines]
    # What 8 bits answer is that far from the original, and on these rows it is something else.
    wider = tolerance + smaller.parity.largest
    other = {difference.row for difference in smaller.parity.differences}
    return [msgspec.structs.replace(line, tolerance=wider) for row, line in lines if row not in other]


def _baseline(learned: Learned, bins: Baseline) -> dict[str, object]:
    outputs = learned.description.outputs
    answered = {each.name: learned.answers.values[each.name][: learned.features.rows] for each in outputs}
    return baseline(learned.features, learned.drafts, outputs, answered, bins)
