"""What a careful engineer writes by hand: raw body, orjson both ways, ONNX Runtime called in the loop."""

import numpy as np
import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from ort_model import Model

model = Model()
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> Response:
    rows = np.asarray(orjson.loads(await request.body())["instances"], dtype=np.float32)
    reply = orjson.dumps({"predictions": model.run(rows)}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(reply, media_type="application/json")
