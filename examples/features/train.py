"""Trains the example's model of how diabetes progresses, and writes what the example needs.

Writes beside itself:
  model/model.onnx     float input `measurements` [None, 10] -> float `progression` [None, 1]
  model/features.db    SQLite: one row of measurements for each of the 442 patients of scikit-learn's bundled set
  model/metrics.json   how the model did on the held-out patients, measured on the exported file
  holdout.csv          the held-out patients: key, true progression after a year

The held-out patients are set aside before anything is fitted and are never used to choose anything.
"""

import csv
import json
import sqlite3
from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 7
HELD_OUT_SHARE = 0.2
OPSET = {"": 17, "ai.onnx.ml": 3}
HERE = Path(__file__).resolve().parent
MODEL = HERE / "model"


def main() -> None:
    patients = load_diabetes(scaled=False)
    keys = ["patient-%03d" % number for number in range(len(patients.target))]
    measurements = patients.data.astype(np.float32)
    train, held = train_test_split(np.arange(len(keys)), test_size=HELD_OUT_SHARE, random_state=SEED)

    regressor = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-2, 3, 12)))
    regressor.fit(measurements[train], patients.target[train])
    exported = to_onnx(
        regressor,
        initial_types=[("measurements", FloatTensorType([None, measurements.shape[1]]))],
        final_types=[("progression", FloatTensorType([None, 1]))],
        target_opset=OPSET,
    )
    (MODEL / "model.onnx").write_bytes(exported.SerializeToString())

    write_features(patients.feature_names, keys, measurements)
    session = onnxruntime.InferenceSession(exported.SerializeToString())
    (predicted,) = session.run(None, {"measurements": measurements[held]})
    errors = np.abs(predicted[:, 0] - patients.target[held])
    guess = np.abs(patients.target[train].mean() - patients.target[held])
    metrics = {
        "heldOutCount": len(held),
        "meanAbsoluteError": round(float(errors.mean()), 4),
        "meanAbsoluteErrorOfTheMean": round(float(guess.mean()), 4),
    }
    (MODEL / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    with open(HERE / "holdout.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows((keys[at], int(patients.target[at])) for at in held)
    print(metrics)


def write_features(names, keys, measurements) -> None:
    path = MODEL / "features.db"
    path.unlink(missing_ok=True)
    columns = ", ".join("%s REAL NOT NULL" % name for name in names)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE patients (key TEXT PRIMARY KEY, %s) WITHOUT ROWID" % columns)
        marks = ", ".join("?" * (len(names) + 1))
        rows = [(key, *map(float, row)) for key, row in zip(keys, measurements)]
        database.executemany("INSERT INTO patients VALUES (%s)" % marks, rows)
    database.close()


if __name__ == "__main__":
    main()
