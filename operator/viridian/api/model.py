"""`spec.model`: which model, where its files are, and how they are laid out."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .base import ApiModel
from .quantities import cel, matches


class ModelFormat(StrEnum):
    """How the files of a model are laid out."""

    ONNX = "onnx"


class ModelSource(ApiModel):
    """Which model to serve. A change of any field but `changes` makes a new revision."""

    version: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="Immutable version of the model: a semantic version such as v1.3.0, or a commit hash.",
            json_schema_extra=cel(
                matches(r"^(v?[0-9]+(\.[0-9]+){0,2}([-+][0-9A-Za-z.+-]+)?|[0-9a-f]{7,64})$"),
                "must be a semantic version such as v1.3.0 or a commit hash: a name such as 'latest' can mean another"
                " model tomorrow, so it can be neither rolled back nor compared",
            ),
        ),
    ]
    uri: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="Where the model's files are: image:///PATH for a folder baked into the serving image.",
            json_schema_extra=cel(
                matches(r"^image:///[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$") + " && !self.contains('/..')",
                "must be image:///PATH, the absolute path of a folder in the serving image, such as"
                " image:///models/iris/v1.3.0",
            ),
        ),
    ]
    format: Annotated[
        ModelFormat, Field(description="Layout of the model's files: onnx is a folder with model.onnx.")
    ] = ModelFormat.ONNX
    changes: Annotated[
        str,
        Field(
            max_length=1024,
            description="What is new in this version, for people; shown in the history. Makes no new revision.",
        ),
    ] = ""
