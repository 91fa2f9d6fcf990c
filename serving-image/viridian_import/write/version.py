"""Writes a version: its folder, and the ModelDeployment beside it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from viridian_import.checks.golden import FILE as GOLDEN
from viridian_import.checks.golden import Golden, dump
from viridian_import.learn.baseline import baseline
from viridian_import.prove.probes import Case
from viridian_import.prove.quantization import Quantized
from viridian_import.prove.speed import Speed
from viridian_import.prove.study import Study
from viridian_import.write.card import Facts, card
from viridian_import.write.folder import staged, write_json
from viridian_import.write.golden import golden_lines
from viridian_import.write.manifest import manifest
from viridian_model.digest import digest_of
from viridian_serving.artifacts.locate import MODEL_FILE


@dataclass(frozen=True)
class Identity:
    """What a version is called, and where."""

    name: str
    version: str
    source: str
    """Name of the file that is imported."""
    folder: Path
    uri: str

    @property
    def manifest(self) -> Path:
        """File of the ModelDeployment: it has the folder's digest, and so cannot be in it."""
        return self.folder.parent / f"{self.folder.name}.yaml"


def write_version(
    identity: Identity, found: Study, smaller: Quantized | None, tolerance: float, speed: Sequence[Speed]
) -> str:
    """Write all files, or none.

    Args:
        identity: What it is called. Its folder is not there yet.
        found: What was found out.
        smaller: The model in 8 bits, if that is what is served.
        tolerance: How far apart numbers may be.
        speed: What was measured.

    Returns:
        The digest of the folder.

    Raises:
        ImportFault: Something cannot be written.
    """
    model = (smaller or found.converted).file
    lines = _golden(found, smaller, tolerance)
    sample = next((line.request for line in lines if line.status == 200), None)
    with staged(identity.folder) as staging:
        shutil.copyfile(model, staging / MODEL_FILE)
        for each in found.converted.file.parent.iterdir():
            if each.suffix != ".onnx" and each.is_file():
                shutil.copyfile(each, staging / each.name)
        (staging / "schema.yaml").write_text(found.converted.schema, encoding="utf-8")
        if sample is not None:
            write_json(staging / "sample.json", sample)
        (staging / GOLDEN).write_bytes(dump(lines))
        write_json(staging / "baseline.json", _baseline(found))
        (staging / "MODEL_CARD.md").write_text(_card(identity, found, smaller, tolerance, speed), encoding="utf-8")
    digest = digest_of(identity.folder)
    text = manifest(
        name=identity.name,
        version=identity.version,
        uri=identity.uri,
        digest=digest,
        form="onnx",
        file=identity.manifest.name,
    )
    identity.manifest.write_text(text, encoding="utf-8")
    return digest


def _golden(found: Study, smaller: Quantized | None, tolerance: float) -> list[Golden]:
    converted, outputs = found.converted, found.description.outputs
    lines = golden_lines(found.trial, found.answers, outputs, converted.gate, converted.contract, tolerance)
    if smaller is None:
        return [line for _, line in lines]
    # What 8 bits answer is that far from the original, and on these rows it is something else.
    wider = tolerance + smaller.parity.largest
    other = {difference.row for difference in smaller.parity.differences}
    return [msgspec.structs.replace(line, tolerance=wider) for row, line in lines if row not in other]


def _baseline(found: Study) -> dict[str, object]:
    outputs = found.description.outputs
    answered = {each.name: found.answers.values[each.name][: found.features.rows] for each in outputs}
    return baseline(found.features, found.drafts, outputs, answered)


def _card(identity: Identity, found: Study, smaller: Quantized | None, tolerance: float, speed: Sequence[Speed]) -> str:
    float_size = found.converted.file.stat().st_size
    return card(
        Facts(
            name=identity.name,
            version=identity.version,
            source=identity.source,
            description=found.description,
            plan=found.converted.plan if found.description.convertible else None,
            size=(smaller or found.converted).file.stat().st_size,
            parity=found.converted.parity,
            tolerance=tolerance,
            speed=speed,
            rows=found.features.rows,
            drafts=found.drafts,
            cases={str(case): len(rows) for case in Case if (rows := found.trial.rows(case))},
            notices=found.notices,
            quantized=f"int8: {smaller.describe(float_size)}; the figures below are of the float model"
            if smaller
            else "",
        )
    )
