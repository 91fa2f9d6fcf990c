"""Boosted trees of LightGBM and XGBoost, learnt and exported in their own environment.

Run as a script in that environment, it imports nothing else of the tests: ``python boosted.py FOLDER``.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_OPSET = 15


def made(folder: Path, requirements: Path) -> Iterator[tuple[str, Path]]:
    """Make the models.

    Args:
        folder: Where.
        requirements: What the environment holds.

    Yields:
        Name and file of each.
    """
    environment = requirements.parents[2] / "dev" / "toolchain" / "environment.sh"
    python = subprocess.run([environment, requirements], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run([python, "-W", "ignore", __file__, folder], check=True)
    for file in sorted(folder.glob("*/model.onnx")):
        yield file.parent.name, file


def main(folder: Path) -> None:
    """Learn and export them."""
    import lightgbm
    import numpy as np
    import xgboost
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    random = np.random.default_rng(0)
    x, classes, number = random.normal(size=(200, 6)), random.integers(0, 3, 200), random.normal(size=200)
    inputs = [("input", FloatTensorType([None, 6]))]
    quiet, two = {"n_estimators": 5, "verbose": -1}, (classes > 0).astype(int)
    exported = {
        "lightgbm-classifier": (convert_lightgbm, lightgbm.LGBMClassifier(**quiet), classes, {"zipmap": False}),
        "lightgbm-binary": (convert_lightgbm, lightgbm.LGBMClassifier(**quiet), two, {"zipmap": False}),
        "lightgbm-regressor": (convert_lightgbm, lightgbm.LGBMRegressor(**quiet), number, {}),
        "lightgbm-zipmap": (convert_lightgbm, lightgbm.LGBMClassifier(**quiet), classes, {}),
        "xgboost-classifier": (convert_xgboost, xgboost.XGBClassifier(n_estimators=5), classes, {}),
        "xgboost-regressor": (convert_xgboost, xgboost.XGBRegressor(n_estimators=5), number, {}),
    }
    for name, (convert, estimator, target, options) in exported.items():
        model = convert(estimator.fit(x, target), initial_types=inputs, target_opset=_OPSET, **options)
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "model.onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
