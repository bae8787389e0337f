"""Makes mlp-64-256-10.onnx beside itself: float32, ReLU, dynamic batch axis, fixed seed. Small on purpose: the bench
measures what is around the model. Needs numpy and onnx."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8


def main() -> None:
    random = np.random.default_rng(0)
    weights = {
        "w1": random.standard_normal((64, 256)) / 8,
        "b1": random.standard_normal(256) * 0.1,
        "w2": random.standard_normal((256, 10)) / 16,
        "b2": random.standard_normal(10) * 0.1,
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["input", "w1", "b1"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["rectified"]),
            helper.make_node("Gemm", ["rectified", "w2", "b2"], ["output"]),
        ],
        "mlp",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    onnx.save(model, Path(__file__).resolve().parent / "mlp-64-256-10.onnx")


if __name__ == "__main__":
    main()
