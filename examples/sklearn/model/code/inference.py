"""Serves the wine classifier: the four functions that SageMaker's scikit-learn image calls, unchanged here."""

import json
import os

import joblib
import numpy as np

CULTIVARS = ["Barolo", "Grignolino", "Barbera"]


def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def input_fn(body, content_type):
    if content_type == "application/json":
        rows = json.loads(body)["instances"]
    elif content_type == "text/csv":
        rows = [[float(cell) for cell in line.split(",")] for line in body.splitlines() if line.strip()]
    else:
        raise ValueError("Send application/json or text/csv, not %s." % content_type)
    return np.asarray(rows, dtype=np.float64)


def predict_fn(wines, model):
    return model.predict_proba(wines)


def output_fn(probabilities, accept):
    found = probabilities.argmax(axis=1)
    if "text/csv" in accept:
        return "".join("%s\n" % CULTIVARS[index] for index in found), "text/csv"
    predictions = [
        {"cultivar": CULTIVARS[index], "probability": round(float(row[index]), 4)}
        for index, row in zip(found, probabilities)
    ]
    return json.dumps({"predictions": predictions}), "application/json"
