"""Format ``triton``: takes the model out of a model repository, and makes one of our own that holds just that.

The files stay where they are; Triton finds them through links. What changes is the model's name, which becomes the one
under which the API serves it, so that the clients of a model need not know how its versions are packed.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from viridian_serving.artifacts.locate import CONFIG_FILE, ModelError, triton_model, versions
from viridian_serving.triton.model_code import refuse_code
from viridian_serving.triton.pbtxt import Message, messages, parse, scalar, values

_REFUSED: Final = {
    "ensemble_scheduling": "is an ensemble; serve its models one by one, or put all of it into one python model",
    "sequence_batching": "keeps state from request to request, which no rollout could split; make it stateless",
}
_OF_PLATFORM: Final = {
    "onnxruntime_onnx": "onnxruntime",
    "tensorrt_plan": "tensorrt",
    "pytorch_libtorch": "pytorch",
    "tensorflow_graphdef": "tensorflow",
    "tensorflow_savedmodel": "tensorflow",
}
_OF_FILE: Final = {
    "model.py": "python",
    "model.onnx": "onnxruntime",
    "model.plan": "tensorrt",
    "model.pt": "pytorch",
    "model.xml": "openvino",
    "model.graphdef": "tensorflow",
    "model.savedmodel": "tensorflow",
}
"""What Triton takes a model for whose configuration does not say it."""


def write_repository(
    path: Path, name: str, repository: Path, backends: Collection[str], *, allow_code: bool = True
) -> None:
    """Make a repository of one model.

    Args:
        path: The user's repository, or the model's folder.
        name: The model's name at Triton.
        repository: Where to make it; it does not exist.
        backends: Those that this image has.
        allow_code: Whether the model may bring its own code.

    Raises:
        ModelError: There is not exactly one model, or it is of a kind that is not served here.
    """
    model = triton_model(path)
    config = model / CONFIG_FILE
    text = _read(config) if config.is_file() else ""
    parsed = _parse(config, text)
    _check_kind(model, parsed)
    version = _version(model, parsed)
    backend = _backend(model / str(version), parsed)
    _check_backend(model, backend, backends)
    if not allow_code:
        refuse_code(model, version, backend, parsed)
    target = repository / name
    target.mkdir(parents=True)
    for entry in model.iterdir():
        if entry.name != CONFIG_FILE and (not entry.name.isdigit() or entry.name == str(version)):
            (target / entry.name).symlink_to(entry)
    if config.is_file():
        (target / CONFIG_FILE).write_text(_renamed(text, parsed))


def _read(config: Path) -> str:
    try:
        return config.read_text()
    except UnicodeDecodeError as error:
        raise ModelError(f"{config} is not text; write it in the text format of protocol buffers") from error


def _parse(config: Path, text: str) -> Message:
    try:
        return parse(text)
    except ValueError as error:
        raise ModelError(f"{config} cannot be read: {error}; correct it") from error


def _check_kind(model: Path, config: Message) -> None:
    if scalar(config, "platform") == "ensemble":
        raise ModelError(f"{model} {_REFUSED['ensemble_scheduling']}")
    for name, why in _REFUSED.items():
        if messages(config, name):
            raise ModelError(f"{model} {why}")
    if any(
        scalar(policy, "decoupled") in ("true", "True", "t", "1")
        for policy in messages(config, "model_transaction_policy")
    ):
        raise ModelError(
            f"{model} is decoupled: it gives any number of answers to a request, and the API gives one; "
            "remove model_transaction_policy"
        )


def _version(model: Path, config: Message) -> int:
    found = versions(model)
    if not found:
        raise ModelError(f"{model} holds no version; put the model's files into a folder named 1 in it")
    for policy in messages(config, "version_policy"):
        several = ModelError(
            f"{model} has a version_policy for more than one version; a pod serves one: remove it, and the highest is"
        )
        if messages(policy, "all") and len(found) > 1:
            raise several
        if any(scalar(latest, "num_versions") not in ("", "1") for latest in messages(policy, "latest")):
            raise several
        for specific in messages(policy, "specific"):
            asked = [str(value) for value in values(specific, "versions")]
            if len(asked) > 1:
                raise several
            if asked and asked[0] not in map(str, found):
                raise ModelError(f"{model} asks for version {asked[0]} and holds {found}; correct version_policy")
            if asked:
                return int(asked[0])
    return found[-1]


def _backend(version: Path, config: Message) -> str:
    named = scalar(config, "backend") or _OF_PLATFORM.get(scalar(config, "platform"), scalar(config, "platform"))
    return named or next((backend for file, backend in _OF_FILE.items() if (version / file).exists()), "")


def _check_backend(model: Path, backend: str, backends: Collection[str]) -> None:
    if not backend:
        raise ModelError(f"{model} does not say what runs it; write the backend into its {CONFIG_FILE}")
    if backend in backends:
        return
    hint = ", or serve its model.onnx with format: onnx" if backend == "onnxruntime" else ""
    raise ModelError(
        f"{model} needs Triton's backend {backend}, which is not here (there is {', '.join(sorted(backends))}); "
        f"a serving image that is built on NVIDIA's Triton image has it: use one{hint}"
    )


def _renamed(text: str, config: Message) -> str:
    """The configuration without a name: Triton then takes the folder's."""
    for field in config:
        if field.name == "name":
            return text[: field.start] + text[field.end :]
    return text
