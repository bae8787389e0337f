import json
import os

import numpy as np
from ort_model import Model

model = None


def handle(data, context):
    global model
    if model is None:
        model = Model(os.path.join(context.system_properties["model_dir"], "model.onnx"))
    if data is None:
        return None
    rows = []
    for item in data:
        body = item.get("body") or item.get("data")
        if isinstance(body, (bytes, bytearray)):
            body = json.loads(body)
        rows.append(body["instances"][0])
    return [{"predictions": [row.tolist()]} for row in model.run(np.asarray(rows, dtype=np.float32))]
