"""Calibrated classifiers over pipelines: skl2onnx gives the pipeline's last step the wrong options."""

from typing import Any

from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from skl2onnx.operator_converters.linear_classifier import convert_sklearn_linear_classifier
from sklearn.svm import LinearSVC

from viridian_import.convert.steps import steps


def register() -> None:
    """Let LinearSVC take the option zipmap, which the converter of inner pipelines gives to every classifier."""
    update_registered_converter(
        LinearSVC,
        "SklearnLinearSVC",
        calculate_linear_classifier_output_shapes,
        convert_sklearn_linear_classifier,
        overwrite=True,
        options={
            "nocl": [True, False],
            "output_class_labels": [False, True],
            "raw_scores": [True, False],
            "zipmap": [False],
        },
    )


def options(estimator: Any) -> dict[int, dict[str, bool]]:  # noqa: ANN401
    """Return what those that are concerned have to be told.

    Args:
        estimator: With all that it is made of.

    Returns:
        Options by the identity of a step: the last steps of pipelines that are calibrated answer with their scores, and
        none of them, and no LinearSVC, with a dictionary for each row.
    """
    found = {id(each): {"zipmap": False} for _, each in steps(estimator) if isinstance(each, LinearSVC)}
    for _, calibrated in steps(estimator):
        for each in getattr(calibrated, "calibrated_classifiers_", ()):
            if hasattr(each.estimator, "steps") and hasattr(each.estimator, "decision_function"):
                found[id(each.estimator.steps[-1][1])] = {"raw_scores": True, "zipmap": False}
    return found
