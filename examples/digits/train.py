"""Trains the quickstart's classifier of hand-written digits and writes what the quickstart needs.

Writes beside itself:
  model/model.onnx     float input `input` [None, 64] (pixels 0..16) -> int64 `label` [None], float `probabilities` [None, 10]
  model/metrics.json   how the model did on the held-out part, measured on the exported file
  holdout.csv          the held-out part: one image a line, the true label first, then 64 pixels
  one-image.json       the first held-out image as a request body, for trying things by hand

The held-out part is set aside before anything is fitted and is never used to choose anything.
"""

import csv
import json
import textwrap
from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

SEED = 7
HELD_OUT_SHARE = 0.2
OPSET = {"": 17, "ai.onnx.ml": 3}
HERE = Path(__file__).resolve().parent


def main() -> None:
    digits = load_digits()
    pixels, labels = digits.data.astype(np.float32), digits.target
    train_x, held_x, train_y, held_y = train_test_split(
        pixels, labels, test_size=HELD_OUT_SHARE, random_state=SEED, stratify=labels
    )

    classifier = make_pipeline(
        MinMaxScaler(),
        # 128 and 0.1 had the best mean of a five-fold cross-validation over the training part (0.978),
        # among 64, 128, 256 hidden units and alpha 1e-4, 1e-3, 1e-1.
        MLPClassifier(hidden_layer_sizes=(128,), alpha=0.1, max_iter=600, random_state=SEED),
    )
    classifier.fit(train_x, train_y)

    model_path = export(classifier)
    correct = count_correct(model_path, classifier, held_x, held_y)
    write_holdout(held_x, held_y)
    metrics = {
        "heldOutCount": len(held_y),
        "correctCount": correct,
        "accuracy": round(correct / len(held_y), 6),
        "trainedOnCount": len(train_y),
        "seed": SEED,
    }
    (HERE / "model" / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"{model_path.name}: {model_path.stat().st_size} bytes; {correct} of {len(held_y)} held-out images right")


def export(classifier) -> Path:
    path = HERE / "model" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    onnx_model = to_onnx(
        classifier,
        initial_types=[("input", FloatTensorType([None, 64]))],
        options={id(classifier): {"zipmap": False}},
        target_opset=OPSET,
    )
    path.write_bytes(onnx_model.SerializeToString())
    return path


def count_correct(path: Path, classifier, held_x, held_y) -> int:
    """Counts on the exported file, after asserting that the export did not change the answers."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found, probabilities = session.run(["label", "probabilities"], {"input": held_x})
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, classifier.predict(held_x))
    np.testing.assert_allclose(probabilities, classifier.predict_proba(held_x), atol=1e-4)
    return int((found == held_y).sum())


def write_holdout(held_x, held_y) -> None:
    rows = held_x.astype(int).tolist()
    assert np.array_equal(held_x, np.array(rows)), "pixels are whole numbers"
    with open(HERE / "holdout.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([int(y), *x] for y, x in zip(held_y, rows))
    pixels = textwrap.fill(", ".join(map(str, rows[0])), 100, initial_indent=" " * 6, subsequent_indent=" " * 6)
    (HERE / "one-image.json").write_text('{\n  "instances": [\n    [\n' + pixels + "\n    ]\n  ]\n}\n")


if __name__ == "__main__":
    main()
