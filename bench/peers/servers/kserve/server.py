import argparse
import functools

import numpy as np
from kserve import Model, ModelServer, model_server
from ort_model import Model as OrtModel


@functools.cache
def ort_model() -> OrtModel:
    """Made in each worker process: a session cannot be pickled with the model object."""
    return OrtModel()


class Mlp(Model):
    def load(self) -> bool:
        self.ready = True
        return True

    async def predict(self, payload, headers=None, response_headers=None):
        rows = np.asarray(payload["instances"], dtype=np.float32)
        return {"predictions": ort_model().run(rows).tolist()}


if __name__ == "__main__":
    arguments, _ = argparse.ArgumentParser(parents=[model_server.parser]).parse_known_args()
    mlp = Mlp("mlp")
    mlp.load()
    ModelServer(workers=arguments.workers).start([mlp])
