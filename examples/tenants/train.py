"""Trains a classifier for each of four tenants, each on real data of its own that comes with scikit-learn.

Writes for each tenant, into a folder of its name:
  model.onnx     float input `input` [None, WIDTH] -> int64 `label` [None], float `probabilities` [None, CLASSES]
  holdout.csv    the held-out part: the true class first, then the measurements
  metrics.json   how the model did on it, measured on the exported file

The held-out part is set aside before anything is fitted and is never used to choose anything.
"""

import csv
import json
from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 7
HELD_OUT_SHARE = 0.25
OPSET = {"": 17, "ai.onnx.ml": 3}
HERE = Path(__file__).resolve().parent

TENANTS = {
    "clinic": load_breast_cancer,
    "herbarium": load_iris,
    "post-office": load_digits,
    "vineyard": load_wine,
}


def main() -> None:
    for name, load in TENANTS.items():
        train_tenant(HERE / name, load())


def train_tenant(folder: Path, data) -> None:
    folder.mkdir(exist_ok=True)
    measured, classes = data.data.astype(np.float32), data.target
    train_x, held_x, train_y, held_y = train_test_split(
        measured, classes, test_size=HELD_OUT_SHARE, random_state=SEED, stratify=classes
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train_x, train_y)
    exported = to_onnx(
        classifier,
        initial_types=[("input", FloatTensorType([None, measured.shape[1]]))],
        options={id(classifier): {"zipmap": False}},
        target_opset=OPSET,
    )
    path = folder / "model.onnx"
    path.write_bytes(exported.SerializeToString())
    found = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["label"], {"input": held_x})[0]
    np.testing.assert_array_equal(found, classifier.predict(held_x))
    correct = int((found == held_y).sum())
    with open(folder / "holdout.csv", "w", newline="") as file:
        rows = ([int(y), *(f"{value:g}" for value in x)] for y, x in zip(held_y, held_x))
        csv.writer(file, lineterminator="\n").writerows(rows)
    metrics = {"heldOutCount": len(held_y), "correctCount": correct, "trainedOnCount": len(train_y), "seed": SEED}
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"{folder.name}: {path.stat().st_size} bytes; {correct} of {len(held_y)} held-out rows right")


if __name__ == "__main__":
    main()
