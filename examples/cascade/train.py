"""Trains the two classifiers of the cascade on scikit-learn's bundled digits, and chooses from when the cheap one is sure.

Writes beside itself:
  cheap/model.onnx       logistic regression; float input `input` [None, 64] -> int64 `label`, float `probabilities` [None, 10]
  expensive/model.onnx   support vectors, some hundred times the arithmetic; the same names
  graph/graph.yaml       the cascade, with the confidence that was chosen
  metrics.json           what each got right of the held-out images, and how many the cascade would hand on
  holdout.csv            the held-out images: true label, then 64 pixels

The confidence is chosen by cross-validation over the training part: the lowest at which the cascade is right as often as the
expensive model alone. The held-out part is set aside before anything is fitted and is never used to choose anything.
"""

import csv
import json
from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

SEED = 7
HELD_OUT_SHARE = 0.4
OPSET = {"": 17, "ai.onnx.ml": 3}
HERE = Path(__file__).resolve().parent
GRAPH = """# yaml-language-server: $schema=../../../docs/reference/graph.schema.json
version: 1
graph: digits
report: body
nodes:
  digits:
    cascade:
      steps: [{{ node: cheap, atLeast: {at_least} }}]
      last: expensive
  cheap: {{ endpoint: digits-cheap }}
  expensive: {{ endpoint: digits-expensive }}
"""


def main() -> None:
    digits = load_digits()
    pixels, labels = digits.data.astype(np.float32), digits.target
    train_x, held_x, train_y, held_y = train_test_split(
        pixels, labels, test_size=HELD_OUT_SHARE, random_state=SEED, stratify=labels
    )
    cheap = make_pipeline(MinMaxScaler(), LogisticRegression(C=1.0, max_iter=2000))
    expensive = make_pipeline(MinMaxScaler(), SVC(C=10.0, gamma="scale", probability=True, random_state=SEED))
    at_least = choose_confidence(cheap, expensive, train_x, train_y)

    sessions = {}
    for name, classifier in (("cheap", cheap), ("expensive", expensive)):
        classifier.fit(train_x, train_y)
        sessions[name] = export(classifier, HERE / name / "model.onnx")
    answers = {name: session.run(["label", "probabilities"], {"input": held_x}) for name, session in sessions.items()}
    unsure = answers["cheap"][1].max(axis=1) < at_least
    merged = np.where(unsure, answers["expensive"][0], answers["cheap"][0])
    metrics = {
        "heldOutCount": len(held_y),
        "cheapCorrectCount": int((answers["cheap"][0] == held_y).sum()),
        "expensiveCorrectCount": int((answers["expensive"][0] == held_y).sum()),
        "cascadeCorrectCount": int((merged == held_y).sum()),
        "handedOnCount": int(unsure.sum()),
        "atLeast": at_least,
        "seed": SEED,
    }
    (HERE / "graph" / "graph.yaml").write_text(GRAPH.format(at_least=at_least))
    (HERE / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    with (HERE / "holdout.csv").open("w", newline="") as file:
        rows = ([int(label), *map(int, row)] for label, row in zip(held_y, held_x))
        csv.writer(file, lineterminator="\n").writerows(rows)
    print(json.dumps(metrics))


def choose_confidence(cheap, expensive, x, y) -> float:
    folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=SEED)
    probabilities = cross_val_predict(cheap, x, y, cv=folds, method="predict_proba")
    right = probabilities.argmax(axis=1) == y
    expensive_right = cross_val_predict(expensive, x, y, cv=folds) == y
    for at_least in np.arange(0.5, 1.0, 0.01):
        unsure = probabilities.max(axis=1) < at_least
        if np.where(unsure, expensive_right, right).sum() >= expensive_right.sum():
            return round(float(at_least), 2)
    raise SystemExit("The cascade is never as good as the expensive model.")


def export(classifier, path: Path) -> onnxruntime.InferenceSession:
    path.parent.mkdir(exist_ok=True)
    onnx_model = to_onnx(
        classifier,
        initial_types=[("input", FloatTensorType([None, 64]))],
        options={id(classifier): {"zipmap": False}},
        target_opset=OPSET,
    )
    path.write_bytes(onnx_model.SerializeToString())
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


main()
