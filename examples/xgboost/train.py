"""Trains boosted trees that tell benign from malignant tumours, on scikit-learn's bundled set (569 cases, 30 measurements).

Writes beside itself:
  model/xgboost-model   the booster, as SageMaker's XGBoost algorithm names it
  model/metrics.json    how it did on the held-out part
  holdout.csv           the held-out part: one case a line, 1 for benign and 0 for malignant, then 30 measurements

The held-out part is set aside before anything is fitted and is never used to choose anything.
"""

import csv
import json
import os
from pathlib import Path

import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

SEED = 7
HELD_OUT_SHARE = 0.25
ROUNDS = 60
HERE = Path(__file__).resolve().parent
PARAMETERS = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.2, "seed": SEED, "nthread": 1}


def main() -> None:
    cases = load_breast_cancer()
    train_x, held_x, train_y, held_y = train_test_split(
        cases.data, cases.target, test_size=HELD_OUT_SHARE, random_state=SEED, stratify=cases.target
    )
    booster = xgboost.train(PARAMETERS, xgboost.DMatrix(train_x, train_y), ROUNDS)
    correct = int(((booster.predict(xgboost.DMatrix(held_x)) > 0.5) == held_y).sum())

    # The name says nothing of the form, so it is written under one that does.
    booster.save_model(HERE / "model" / "model.ubj")
    os.replace(HERE / "model" / "model.ubj", HERE / "model" / "xgboost-model")
    with open(HERE / "holdout.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([int(y), *map(float, x)] for y, x in zip(held_y, held_x))
    metrics = {"heldOutCount": len(held_y), "correctCount": correct, "trainedOnCount": len(train_y), "seed": SEED}
    (HERE / "model" / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"{correct} of {len(held_y)} held-out cases right")


if __name__ == "__main__":
    main()
