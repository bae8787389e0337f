"""The model as every Python peer runs it: ONNX Runtime, one thread a session."""

import os

import numpy as np
import onnxruntime


class Model:
    def __init__(self, path: str | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        path = path or os.environ["MODEL"]
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, rows: np.ndarray) -> np.ndarray:
        return self._session.run(None, {"input": rows})[0]
