"""What the model's author put beside it: schema.yaml, preprocess.py, sample.json, baseline.json."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from viridian_serving.artifacts.locate import ModelError, model_home
from viridian_serving.artifacts.sample_file import SAMPLE_FILE, read_sample
from viridian_serving.codec.tensors import ModelSchema, SchemaError
from viridian_serving.contract.baseline_file import Baseline, read_baseline
from viridian_serving.contract.binding import PREPROCESS_FILE, bind
from viridian_serving.contract.contract import Contract
from viridian_serving.contract.json_schema import sample_of
from viridian_serving.contract.schema_file import FILE as SCHEMA_FILE
from viridian_serving.contract.schema_file import SchemaFile, read_schema_file
from viridian_serving.http1.problems import Problem
from viridian_serving.inference.predictor import Predictor
from viridian_serving.inference.preprocessing import Preprocessor
from viridian_serving.inference.trials import Trial, Trials
from viridian_serving.settings.config import Format, Settings
from viridian_serving.triton.worker_host import SOCKET

LOG = logging.getLogger("viridian.api")


@dataclass(frozen=True)
class ModelAssets:
    """What the model's author put beside it for its API."""

    home: Path | None
    """The model's folder. None where it is not found: the triton container reports that."""
    declared: SchemaFile | None
    script: Path | None
    format: Format = "onnx"
    baseline: Baseline | None = None

    @classmethod
    def find(cls, settings: Settings) -> "ModelAssets":
        """Look for it.

        Raises:
            SchemaError: What is there cannot be used.
        """
        try:
            home = model_home(settings)
        except ModelError:
            return cls(None, None, None)
        declared, script, baseline = read_schema_file(home), home / PREPROCESS_FILE, read_baseline(home)
        # Where none is allowed, the triton container says so and ends; nothing is run meanwhile.
        if not script.is_file() or not settings.allow_model_code:
            return cls(home, declared, None, settings.model_format, baseline)
        if declared is None:
            raise SchemaError(
                f"{PREPROCESS_FILE} lies beside it without a {SCHEMA_FILE}; write one, whose features say what "
                "clients send"
            )
        return cls(home, declared, script, settings.model_format, baseline)

    def contract(self, schema: ModelSchema) -> Contract:
        """Make the contract of the model that Triton has loaded; SchemaError when it is not the one described."""
        if self.declared is None:
            return Contract.derived(schema)
        if self.declared.batch is not None and self.format != "onnx":
            raise SchemaError(
                f"its {SCHEMA_FILE} cannot be used: batch is for ONNX files; of a model repository, max_batch_size in "
                "config.pbtxt says it, and models in their own libraries are always batched: leave it out"
            )
        return bind(self.declared, schema, preprocessed=self.script is not None)

    async def preprocessor(self, schema: ModelSchema, settings: Settings) -> Preprocessor | None:
        """Start what runs preprocess.py, if there is one; SchemaError when it cannot be loaded."""
        if self.script is None:
            return None
        socket = settings.run_dir / SOCKET
        preprocessor = Preprocessor(self.script, schema, settings.preprocess_timeout, settings.max_queue, socket)
        await preprocessor.start()
        return preprocessor

    async def trials(self, predictor: Predictor, deadline: float) -> Trials:
        """Return inputs to try the model with.

        Args:
            predictor: Reads them.
            deadline: On the event loop's clock, in seconds.

        Returns:
            The sample beside the model, or else the schema's examples; and then made-up ones.
        """
        contract = predictor.model.contract
        preprocessed = self.script is not None
        body = read_sample(self.home) if self.home is not None else None
        if body is None and not contract.requests.declared:
            return Trials(contract)
        what = SAMPLE_FILE
        if body is None:
            what, body = f"the examples of {SCHEMA_FILE}", msgspec.json.encode(sample_of(contract.requests))
        try:
            encoded = (await predictor.read(body, deadline, what)).encoded[0]
        except Problem as problem:
            faults = "; ".join(f"{each.pointer}: {each.detail}" for each in problem.errors)
            LOG.warning("%s beside the model cannot be used and is ignored: %s %s", what, problem.detail, faults)
            return Trials(contract, preprocessed=preprocessed)
        own = Trial(encoded, what, _instance(body, contract))
        return Trials(contract, [own], preprocessed=preprocessed)


def _instance(body: bytes, contract: Contract) -> dict[str, Any] | None:
    """The first instance of a body that was found to be valid, with its features' names."""
    document = msgspec.json.decode(body)
    first = document[0] if isinstance(document, list) and document and isinstance(document[0], dict) else document
    if isinstance(first, dict):
        return first
    return {contract.requests.features[0].name: first} if len(contract.requests.features) == 1 else None
