"""Triton's Python backend hands over all requests of a dynamic batch at once: they become one run."""

import os
import sys

# The stub that runs this reads no PYTHONPATH.
sys.path[:0] = os.environ["PYTHONPATH"].split(":")

import numpy as np
import triton_python_backend_utils as pb_utils
from ort_model import Model


class TritonPythonModel:
    def initialize(self, args):
        self.model = Model()

    def execute(self, requests):
        inputs = [pb_utils.get_input_tensor_by_name(request, "input").as_numpy() for request in requests]
        output = self.model.run(np.concatenate(inputs) if len(inputs) > 1 else inputs[0])
        responses, start = [], 0
        for rows in inputs:
            end = start + rows.shape[0]
            tensor = pb_utils.Tensor("output", np.ascontiguousarray(output[start:end]))
            responses.append(pb_utils.InferenceResponse([tensor]))
            start = end
        return responses
