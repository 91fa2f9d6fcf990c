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
    """Return the options of the last steps of pipelines that are calibrated: what is calibrated are their scores.

    Args:
        estimator: With all that it is made of.
    """
    return {
        id(each.estimator.steps[-1][1]): {"raw_scores": True, "zipmap": False}
        for _, calibrated in steps(estimator)
        for each in getattr(calibrated, "calibrated_classifiers_", ())
        if hasattr(each.estimator, "steps") and hasattr(each.estimator, "decision_function")
    }
