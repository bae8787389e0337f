import os

import bentoml
import numpy as np
from ort_model import Model


@bentoml.service(
    workers=int(os.environ["WORKERS"]),
    traffic={"timeout": 30, "max_concurrency": 1024},
    metrics={"enabled": False},
    tracing={"sample_rate": 0.0},
    logging={"access": {"enabled": False}},
)
class Mlp:
    def __init__(self) -> None:
        self.model = Model()

    @bentoml.api
    async def predict(self, instances: list[list[float]]) -> list[list[float]]:
        return self.model.run(np.asarray(instances, dtype=np.float32)).tolist()
