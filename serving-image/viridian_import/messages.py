"""What the command and the process that runs the original model say to each other: one line of JSON each."""

from enum import StrEnum
from typing import Any

import msgspec

from viridian_serving.codec.tensors import Kind


class Role(StrEnum):
    """What an output of a model is."""

    LABEL = "label"
    PROBABILITIES = "probabilities"
    NUMBERS = "numbers"


class Source(StrEnum):
    """What kind of file a model comes in."""

    PICKLE = "pickle"
    SKOPS = "skops"
    XGBOOST = "xgboost"
    LIGHTGBM = "lightgbm"
    CATBOOST = "catboost"
    TORCH = "torch"
    KERAS = "keras"
    HUGGING_FACE = "hugging face"
    ONNX = "onnx"


class Column(msgspec.Struct, frozen=True):
    """One column of a table."""

    name: str
    kind: Kind
    values: list[Any]
    """Elements of the kind; None where a value is missing."""


class Output(msgspec.Struct, frozen=True):
    """One output of the model."""

    name: str
    role: Role
    method: str
    """What the original answers it with, such as predict_proba."""


class Layout(StrEnum):
    """How a table becomes inputs of the ONNX model."""

    COLUMNS = "columns"
    """Each column is an input of its name."""
    MATRIX = "matrix"
    """All columns are those of one input."""


class Plan(msgspec.Struct, frozen=True):
    """One way to convert the model."""

    layout: Layout
    double: bool = False
    """Whether numbers are 64-bit floats; else they have 32 bits."""
    integers: bool = False
    """Whether columns of whole numbers stay whole; else they are floats as well."""

    def describe(self) -> str:
        """Return the plan in words."""
        floats = "float64" if self.double else "float32"
        return f"{floats}, whole numbers as int64" if self.integers else floats


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load the model. Answered by a Description."""

    path: str
    source: Source
    trusted: bool = False
    """Whether the user trusts its author."""
    code: str = ""
    """A folder with modules of the user's own, or nothing."""
    python: str = ""
    """The user's own Python, which has the library of the model, or nothing."""


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Answer rows. Answered by Answers."""

    columns: list[Column]


class Convert(msgspec.Struct, frozen=True, tag=True):
    """Write the model as ONNX. Answered by Done."""

    plan: Plan
    row: list[Column]
    """One that the model answers, with the features in their order."""
    file: str


class Explain(msgspec.Struct, frozen=True, tag=True):
    """Say why an ONNX file may answer these rows otherwise. Answered by Explained."""

    columns: list[Column]


class Measure(msgspec.Struct, frozen=True, tag=True):
    """Answer the same rows many times. Answered by Took."""

    columns: list[Column]
    seconds: float


Request = Load | Ask | Convert | Explain | Measure


class Description(msgspec.Struct, frozen=True, tag=True):
    """What the model is."""

    model: str
    """Its class, or the classes of a pipeline's steps."""
    task: str
    outputs: list[Output]
    versions: dict[str, str]
    """Of the packages that it needs, by name; those it was trained with where the file says so."""
    layouts: list[Layout]
    """The preferred one first."""
    network: str
    """How the process is kept from the network, as the end of a sentence."""
    classes: list[Any] | None = None
    """Of a classifier with one label, in the order of the probabilities."""
    features: list[str] | None = None
    """Names of the columns that it uses, where it knows them."""
    width: int | None = None
    """Number of its columns, where it knows it."""
    given: str = "frame"
    """How it takes rows: as a "frame" of named columns, an "array" without names, or "text", one column."""
    texts: list[str] = []
    """Columns that it has learnt as texts, where it knows their names."""
    preprocessed: bool = False
    """Whether preprocess.py makes the inputs of its ONNX file; it is written beside that."""
    convertible: bool = True
    """Whether there are several ways to make an ONNX file of it; else it is one."""
    notices: list[str] = []
    """Sentences for the user."""


class Answers(msgspec.Struct, frozen=True, tag=True):
    """What the model answered."""

    values: dict[str, list[Any]]
    """For each output one value or list for each row; None in rows that were refused."""
    refused: dict[int, str]
    """Rows that the model raised an error for, and its words."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """It is done."""


class Explained(msgspec.Struct, frozen=True, tag=True):
    """Why an ONNX file may answer otherwise."""

    sentences: list[str]


class Took(msgspec.Struct, frozen=True, tag=True):
    """How long an answer took."""

    microseconds: float
    """The median."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It cannot be done."""

    sentence: str


Reply = Description | Answers | Done | Explained | Took | Failed
