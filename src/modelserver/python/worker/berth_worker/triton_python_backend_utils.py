"""What models of Triton's Python backend import as `pb_utils`. Importable under its own name in a model's process."""

import numpy

from .pb_config import (
    ModelConfig,
    get_input_config_by_name,
    get_output_config_by_name,
    using_decoupled_model_transaction_policy,
)
from .pb_inference import (
    FINAL as TRITONSERVER_RESPONSE_COMPLETE_FINAL,
    RELEASE_ALL as TRITONSERVER_REQUEST_RELEASE_ALL,
    RELEASE_RESCHEDULE as TRITONSERVER_REQUEST_RELEASE_RESCHEDULE,
    InferenceRequest,
    InferenceResponse,
    InferenceResponseSender,
    MemoryType,
    PreferredMemory,
    ResponseIterator,
    TritonError,
)
from .pb_server import Logger, LogLevel, Metric, MetricFamily, MetricKind, is_model_ready, load_model, unload_model
from .pb_tensor import NUMPY_BY_DATATYPE, NUMPY_BY_NUMBER, Tensor, TritonModelException, join_texts, split_texts

TRITONSERVER_REQUEST_FLAG_SEQUENCE_START = 1
TRITONSERVER_REQUEST_FLAG_SEQUENCE_END = 2
TRITONSERVER_MEMORY_CPU = MemoryType.TRITONSERVER_MEMORY_CPU
TRITONSERVER_MEMORY_GPU = MemoryType.TRITONSERVER_MEMORY_GPU

TRITON_STRING_TO_NUMPY = {
    "TYPE_" + ("STRING" if datatype == "BYTES" else datatype): bool if datatype == "BOOL" else kind
    for datatype, kind in NUMPY_BY_DATATYPE.items()
    if kind is not None
}

__all__ = [
    "InferenceRequest",
    "InferenceResponse",
    "InferenceResponseSender",
    "LogLevel",
    "Logger",
    "MemoryType",
    "Metric",
    "MetricFamily",
    "MetricKind",
    "ModelConfig",
    "PreferredMemory",
    "ResponseIterator",
    "TRITONSERVER_REQUEST_RELEASE_ALL",
    "TRITONSERVER_REQUEST_RELEASE_RESCHEDULE",
    "TRITONSERVER_RESPONSE_COMPLETE_FINAL",
    "Tensor",
    "TritonError",
    "TritonModelException",
    "get_input_config_by_name",
    "get_output_config_by_name",
    "is_model_ready",
    "load_model",
    "unload_model",
    "using_decoupled_model_transaction_policy",
]


def _by_name(tensors, name):
    return next((tensor for tensor in tensors if tensor.name() == name), None)


def get_input_tensor_by_name(inference_request, name):
    return _by_name(inference_request.inputs(), name)


def get_output_tensor_by_name(inference_response, name):
    return _by_name(inference_response.output_tensors(), name)


def triton_to_numpy_type(data_type):
    return NUMPY_BY_NUMBER.get(data_type)


def numpy_to_triton_type(data_type):
    if data_type == numpy.bytes_:
        return 13
    return next((number for number, kind in NUMPY_BY_NUMBER.items() if kind is not None and data_type == kind), None)


def triton_string_to_numpy(triton_type_string):
    return TRITON_STRING_TO_NUMPY[triton_type_string]


def serialize_byte_tensor(input_tensor):
    """Each element behind its length, as one bytes object; an empty tuple for an empty array."""
    if input_tensor.size == 0:
        return ()
    return join_texts(input_tensor) if input_tensor.dtype.kind in "OS" else None


def deserialize_bytes_tensor(encoded_tensor):
    return split_texts(encoded_tensor, (-1,))
