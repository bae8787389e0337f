import os
import signal
import sys

import numpy as np
import ray
from ort_model import Model
from ray import serve
from starlette.requests import Request

QUIET = {"enable_access_log": False, "log_level": "WARNING"}


@serve.deployment(
    num_replicas=int(os.environ["WORKERS"]),
    max_ongoing_requests=256,
    ray_actor_options={"num_cpus": 0.5},
    logging_config=QUIET,
)
class Mlp:
    def __init__(self) -> None:
        self.model = Model()

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.0)
    async def predict(self, rows):
        return [row.tolist() for row in self.model.run(np.stack(rows))]

    async def __call__(self, request: Request):
        instances = np.asarray((await request.json())["instances"], dtype=np.float32)
        return {"predictions": [await self.predict(instances[0])]}


if __name__ == "__main__":
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=os.environ["WORK"],
        object_store_memory=200 * 1024 * 1024,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])}, logging_config=QUIET)
    serve.run(Mlp.bind(), route_prefix="/predict")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pause()
