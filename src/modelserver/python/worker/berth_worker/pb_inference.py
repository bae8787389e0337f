"""Requests and responses of Triton's Python backend: those that a model answers, and those that it makes of other models."""

import json
from queue import SimpleQueue

from . import triton_link
from .pb_tensor import Tensor, TritonModelException, encode_tensors

FINAL = 1
RELEASE_ALL, RELEASE_RESCHEDULE = 1, 2
_MEMORY_CPU, _MEMORY_GPU = "CPU", "GPU"


class TritonError:
    """A failure with one of Triton's codes."""

    UNKNOWN = "UNKNOWN"
    INTERNAL = "INTERNAL"
    NOT_FOUND = "NOT_FOUND"
    INVALID_ARG = "INVALID_ARG"
    UNAVAILABLE = "UNAVAILABLE"
    UNSUPPORTED = "UNSUPPORTED"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    CANCELLED = "CANCELLED"

    def __init__(self, message, code=INTERNAL):
        self._message = str(message)
        self._code = code if code in _CODES else TritonError.INTERNAL

    def message(self):
        return self._message

    def code(self):
        return self._code

    def __str__(self):
        return self._message


_CODES = {value for name, value in vars(TritonError).items() if name.isupper()}


class MemoryType:
    TRITONSERVER_MEMORY_CPU = _MEMORY_CPU
    TRITONSERVER_MEMORY_GPU = _MEMORY_GPU


class PreferredMemory:
    """Where outputs are wanted. There is main memory alone."""

    def __init__(self, preferred_memory_type, preferred_device_id=0):
        self.preferred_memory_type = preferred_memory_type
        self.preferred_device_id = preferred_device_id


class InferenceResponse:
    """Outputs, or an error in their place."""

    def __init__(self, output_tensors=(), error=None, parameters=None):
        self._output_tensors = list(output_tensors)
        for tensor in self._output_tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError("InferenceResponse(output_tensors: List[Tensor]) got a %s" % type(tensor).__name__)
        self._error = error
        self._parameters = _checked_parameters(parameters or {})

    def output_tensors(self):
        return self._output_tensors

    def has_error(self):
        return self._error is not None

    def error(self):
        return self._error

    def parameters(self):
        return json.dumps(self._parameters)

    @staticmethod
    def _received(head, body):
        error = head.get("error")
        if error is not None:
            return InferenceResponse([], TritonError(error["message"], error["code"]))
        tensors = [Tensor._received(described, body) for described in head.get("outputs", ())]
        return InferenceResponse(tensors, None, {name: _read(value) for name, value in head.get("parameters", {}).items()})

    def _encoded(self, wanted):
        """Its part of a frame's head, with the outputs that are wanted, and their bytes."""
        if self._error is not None:
            return {"error": {"message": self._error.message(), "code": self._error.code()}}, []
        described, parts = encode_tensors(t for t in self._output_tensors if t.name() in wanted)
        head = {"outputs": described}
        if self._parameters:
            head["parameters"] = _write_all(self._parameters)
        return head, parts


def _read(value):
    """Integers stand in frames as text, for JSON's numbers are not exact everywhere; its numbers are fractions."""
    if isinstance(value, dict):
        return int(value["int"])
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _write(value):
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return {"int": str(value)} if is_integer else value


def _write_all(parameters):
    return {name: _write(value) for name, value in parameters.items()}


def _checked_parameters(parameters):
    for name, value in parameters.items():
        if not isinstance(name, str) or not isinstance(value, (str, bool, int, float)):
            raise TritonModelException(
                "Expect parameters keys to have type str and values to be int, float, bool or str, found %r: %r" % (name, value)
            )
    return dict(parameters)


class _Answering:
    """How far a request has been answered. Who lets go of it without a final answer has forgotten it."""

    def __init__(self, number, wanted, is_decoupled):
        self.number = number
        self.wanted = wanted
        self.is_decoupled = is_decoupled
        self.is_cancelled = False
        self.is_closed = False
        self.sent_count = 0

    def send(self, response, flags):
        if flags not in (0, FINAL):
            raise TritonModelException("Unable to send response. Unsupported flag provided.")
        if response is None and flags == 0:
            raise TritonModelException(
                "Inference Response object must be provided when the response flags is set to zero."
            )
        if not self.is_decoupled:
            if response is not None and self.sent_count > 0:
                raise TritonModelException(
                    "Unable to send response. Non-decoupled model cannot send more than one response."
                )
            if response is None and self.sent_count == 0:
                raise TritonModelException(
                    "Unable to send response. Non-decoupled model cannot send complete final before sending a response."
                )
        if self.is_closed:
            raise TritonModelException("Unable to send response. Response sender has been closed.")
        head, parts = response._encoded(self.wanted) if response is not None else ({"outputs": []}, [])
        head["isFinal"] = flags == FINAL
        self.is_closed = flags == FINAL
        self.sent_count += 1
        triton_link.get_link().send(triton_link.RESPONSE, self.number, head, parts)

    def __del__(self):
        if self.is_closed:
            return
        message = "the model has let go of the request without a final response"
        head = {"error": {"message": message, "code": TritonError.INTERNAL}, "isFinal": True}
        try:
            triton_link.get_link().send(triton_link.RESPONSE, self.number, head)
        except OSError:
            # The server is gone, and with it who waited.
            pass


class InferenceResponseSender:
    """Answers one request, any number of times for a decoupled model, from any thread."""

    def __init__(self, answering):
        self._answering = answering

    def send(self, response=None, flags=0):
        self._answering.send(response, flags)

    def is_cancelled(self):
        return self._answering.is_cancelled


class InferenceRequest:
    """A request that a model has got, or one that it makes of another model."""

    def __init__(
        self,
        request_id="",
        correlation_id=0,
        inputs=None,
        requested_output_names=None,
        model_name=None,
        model_version=-1,
        flags=0,
        timeout=0,
        preferred_memory=None,
        trace=None,
        parameters=None,
    ):
        for name, value in (
            ("inputs", inputs),
            ("requested_output_names", requested_output_names),
            ("model_name", model_name),
        ):
            if value is None:
                raise TypeError("InferenceRequest needs %s" % name)
        self._request_id = request_id
        self._correlation_id = correlation_id
        self._inputs = list(inputs)
        self._requested_output_names = list(requested_output_names)
        self._model_name = model_name
        self._model_version = model_version
        self._flags = flags
        self._timeout = timeout
        self._priority = 0
        self._preferred_memory = preferred_memory
        self._parameters = _checked_parameters(json.loads(parameters) if isinstance(parameters, str) else parameters or {})
        self._answering = None
        self._call_number = None

    @classmethod
    def _received(cls, head, body, model):
        """A request of a frame; `model` is (name, version, whether it is decoupled)."""
        name, version, is_decoupled = model
        request = cls.__new__(cls)
        request._request_id = head["id"]
        request._correlation_id = _read(head["correlationId"])
        request._inputs = [Tensor._received(described, body) for described in head["inputs"]]
        request._requested_output_names = head["outputs"]
        request._model_name = name
        request._model_version = version
        request._flags = head["flags"]
        request._timeout = head["timeoutUs"]
        request._priority = head["priority"]
        request._preferred_memory = None
        request._parameters = {name: _read(value) for name, value in head["parameters"].items()}
        request._answering = _Answering(head["number"], head["outputs"], is_decoupled)
        request._call_number = None
        triton_link.get_link().watch(head["number"], request._answering)
        return request

    def inputs(self):
        return self._inputs

    def request_id(self):
        return self._request_id

    def correlation_id(self):
        return self._correlation_id

    def requested_output_names(self):
        return self._requested_output_names

    def model_name(self):
        return self._model_name

    def model_version(self):
        return self._model_version

    def flags(self):
        return self._flags

    def set_flags(self, flags):
        self._flags = flags

    def timeout(self):
        return self._timeout

    def priority(self):
        return self._priority

    def parameters(self):
        return json.dumps(self._parameters)

    def preferred_memory(self):
        return self._preferred_memory

    def trace(self):
        return None

    def is_cancelled(self):
        return self._answering is not None and self._answering.is_cancelled

    def get_response_sender(self):
        if self._answering is None:
            raise TritonModelException("A request that was made by the model has no response sender.")
        return InferenceResponseSender(self._answering)

    def set_release_flags(self, flags):
        if flags == RELEASE_RESCHEDULE:
            raise TritonModelException("Requests cannot be rescheduled: this server has no iterative sequences.")
        if flags != RELEASE_ALL:
            raise TritonModelException("Unsupported release flags %r." % (flags,))

    def exec(self, decoupled=False):
        """Runs the request on its model: a response, or an iterator of them."""
        if decoupled:
            return self._begin_decoupled()
        return InferenceResponse._received(*triton_link.get_link().ask(*self._encoded(False)))

    async def async_exec(self, decoupled=False):
        """As exec, without holding the event loop."""
        if decoupled:
            return self._begin_decoupled()
        import asyncio

        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def take(head, body):
            response = InferenceResponse._received(head, body)
            loop.call_soon_threadsafe(lambda: future.done() or future.set_result(response))

        link = triton_link.get_link()
        number = link.call(*self._encoded(False), take)
        self._call_number = number
        try:
            return await future
        finally:
            link.end_call(number)

    def cancel(self):
        """Cancels what this request has begun."""
        if self._call_number is not None:
            triton_link.get_link().end_call(self._call_number)

    def _begin_decoupled(self):
        responses = SimpleQueue()
        head, parts = self._encoded(True)
        number = triton_link.get_link().call(head, parts, lambda *reply: responses.put(reply))
        self._call_number = number
        return ResponseIterator(number, responses)

    def _encoded(self, is_decoupled):
        described, parts = encode_tensors(self._inputs)
        head = {
            "what": "infer",
            "model": self._model_name,
            "version": int(self._model_version),
            "id": self._request_id,
            "correlationId": _write(self._correlation_id),
            "outputs": self._requested_output_names,
            "flags": self._flags,
            "timeoutUs": self._timeout,
            "parameters": _write_all(self._parameters),
            "isDecoupled": is_decoupled,
            "inputs": described,
        }
        return head, parts


class ResponseIterator:
    """The responses of a call, as they come. The last one has no outputs when all of them had come before."""

    def __init__(self, number, replies):
        self._number = number
        self._replies = replies
        self._is_over = False

    def __iter__(self):
        return self

    def __next__(self):
        if self._is_over:
            raise StopIteration
        head, body = self._replies.get()
        self._is_over = head["isFinal"]
        return InferenceResponse._received(head, body)

    def cancel(self):
        triton_link.get_link().end_call(self._number)

    def __del__(self):
        if not self._is_over:
            try:
                self.cancel()
            except OSError:
                pass
