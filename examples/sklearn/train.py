"""Trains a classifier of wines on scikit-learn's bundled set (178 wines, 13 measurements, 3 cultivars).

Writes beside itself:
  model/model.joblib   the fitted pipeline
  model/metrics.json   how it did on the held-out part
  holdout.csv          the held-out part: one wine a line, the true cultivar's number first, then 13 measurements

The held-out part is set aside before anything is fitted and is never used to choose anything.
"""

import csv
import json
from pathlib import Path

import joblib
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 7
HELD_OUT_SHARE = 0.25
HERE = Path(__file__).resolve().parent


def main() -> None:
    wines = load_wine()
    train_x, held_x, train_y, held_y = train_test_split(
        wines.data, wines.target, test_size=HELD_OUT_SHARE, random_state=SEED, stratify=wines.target
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train_x, train_y)
    correct = int((classifier.predict(held_x) == held_y).sum())

    joblib.dump(classifier, HERE / "model" / "model.joblib")
    with open(HERE / "holdout.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([int(y), *map(float, x)] for y, x in zip(held_y, held_x))
    metrics = {"heldOutCount": len(held_y), "correctCount": correct, "trainedOnCount": len(train_y), "seed": SEED}
    (HERE / "model" / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"{correct} of {len(held_y)} held-out wines right")


if __name__ == "__main__":
    main()
