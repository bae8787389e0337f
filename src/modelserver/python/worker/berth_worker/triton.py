"""Triton's Python backend: a process with one instance of a model, a `TritonPythonModel` in its model.py.

What it answers and how it fails is that of Triton's stub, texts included.
"""

import importlib
import os
import sys
import threading
import time
import traceback
from types import CoroutineType

from . import packages, pb_config, triton_link
from .channel import leave
from .pb_inference import InferenceRequest, InferenceResponse
from .pb_tensor import TritonModelException
from .triton_link import END, EXECUTE, EXECUTED, INITIALIZE, LOAD_FAILED, LOADED, PREPARE, PREPARED, STARTED, Link


class ReturnError(Exception):
    """What execute gave back is not what it is to give."""


class Instance:
    """The model's class, then its one object."""

    def __init__(self, link: Link):
        self._link = link
        self._path = ""
        self._class = None
        self._model = None
        self._loop = None
        self._of_requests = ("", "", False)

    def prepare(self, head):
        """Imports the user's module, and lets it complete the configuration. Returns that, as JSON, or None."""
        self._path = head["path"]
        folder, name = os.path.split(self._path)
        model_folder, version = os.path.split(folder)
        if not os.path.isfile(head["path"]):
            raise ReturnError("Python model file not found in '%s'" % head["path"])
        sys.path[:0] = [folder, model_folder]
        module = importlib.import_module("%s.%s" % (version, os.path.splitext(name)[0]))
        self._class = module.TritonPythonModel
        if not head["isCompleting"] or not hasattr(self._class, "auto_complete_config"):
            return None
        completed = self._class.auto_complete_config(pb_config.ModelConfig(head["config"]))
        if not isinstance(completed, pb_config.ModelConfig):
            raise ReturnError(
                "auto_complete_config function in model '%s' must return a valid pb.ModelConfig object." % head["name"]
            )
        return completed.as_dict()

    def initialize(self, args, is_decoupled):
        self._of_requests = (args["model_name"], int(args["model_version"]), is_decoupled)
        self._model = self._class()
        if hasattr(self._model, "initialize"):
            self._model.initialize(args)

    def is_ready(self):
        if not hasattr(self._model, "is_ready"):
            return True
        try:
            return bool(self._model.is_ready())
        except Exception:
            traceback.print_exc()
            return False

    def finalize(self):
        if self._model is not None and hasattr(self._model, "finalize"):
            self._model.finalize()

    def execute(self, call_id, head, body):
        """Runs one batch; what is answered by response senders goes out beside it."""
        begun_ns = ended_ns = time.monotonic_ns()
        parts = []
        error = None
        requests = []
        try:
            requests = [InferenceRequest._received(one, body, self._of_requests) for one in head["requests"]]
            begun_ns = time.monotonic_ns()
            returned = self._run(requests)
            ended_ns = time.monotonic_ns()
            answer = {"responses": self._encode(requests, returned, parts)}
        except BaseException as raised:
            error = raised
            parts.clear()
            answer = {"error": describe(raised)}
            # They are answered by that; what a sender has still to send it may.
            for one in requests:
                one._answering.is_closed = True
        answer["times"] = [begun_ns, ended_ns]
        self._link.send(EXECUTED, call_id, answer, parts)
        if isinstance(error, MemoryError):
            # What took the memory is likely to hold it.
            leave(1)

    def _run(self, requests):
        if not hasattr(self._model, "execute"):
            raise ReturnError("Python model %s does not implement `execute` method." % self._path)
        returned = self._model.execute(requests)
        if not isinstance(returned, CoroutineType):
            return returned
        if self._is_decoupled:
            self._begin(returned).add_done_callback(log_failure)
            return None
        return self._begin(returned).result()

    def _encode(self, requests, returned, parts):
        """Heads of the responses, None where a sender answers; their bytes are added to `parts`."""
        if returned is None:
            return [None] * len(requests)
        if self._is_decoupled:
            raise ReturnError(
                "Python model '%s' is using the decoupled mode and the execute function must return None."
                % self._of_requests[0]
            )
        if not isinstance(returned, list):
            raise ReturnError("Expected a list in the execute return, found type '%s'." % type(returned))
        if len(returned) != len(requests):
            raise ReturnError(
                "Number of InferenceResponse objects do not match the number of InferenceRequest objects. "
                "InferenceRequest(s) size is:%d, and InferenceResponse(s) size is:%d\n" % (len(requests), len(returned))
            )
        for response in returned:
            if response is not None and not isinstance(response, InferenceResponse):
                raise ReturnError(
                    "Expected an 'InferenceResponse' object in the execute function return list, found type '%s'."
                    % type(response)
                )
        heads = []
        at = 0
        for request, response in zip(requests, returned):
            if response is None:
                heads.append(None)
                continue
            answering = request._answering
            head, own = response._encoded(answering.wanted)
            for described in head.get("outputs", ()):
                described["at"] += at
            at += sum(described["bytes"] for described in head.get("outputs", ()))
            parts.extend(own)
            heads.append(head)
        for request, head in zip(requests, heads):
            request._answering.is_closed = request._answering.is_closed or head is not None
        return heads

    @property
    def _is_decoupled(self):
        return self._of_requests[2]

    def _begin(self, coroutine):
        """Runs it in an event loop of its own, which goes on between batches."""
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="berth-event-loop", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


def log_failure(future):
    if future.exception() is not None:
        sys.stderr.write("Exception in the execute of a decoupled model: %s\n" % describe(future.exception()))


def describe(error: BaseException) -> str:
    """An error as Triton words it: the frames of user code behind it, innermost first."""
    if isinstance(error, ReturnError):
        return str(error)
    kind = type(error)
    own = os.path.dirname(os.path.abspath(__file__))
    frames = [
        "  %s(%d): %s\n" % (frame.filename, frame.lineno, frame.name)
        for frame in reversed(traceback.extract_tb(error.__traceback__))
        if not frame.filename.startswith(own) and not frame.filename.startswith("<frozen")
    ]
    # Not str(): of a SyntaxError it says where, too.
    what = "%s: %s" % (kind.__name__, error)
    if isinstance(error, SyntaxError) or not frames:
        return what
    return "%s\n\nAt:\n%s" % (what, "".join(frames))


def load_failure(error: BaseException) -> str:
    advice = packages.advice(error, "requirements.txt beside model.py")
    return describe(error) + ("\n" + advice if advice else "")


def limit_memory(byte_count: int) -> None:
    """Allocations beyond it fail with MemoryError, which replaces the process; 0 is no limit."""
    if byte_count > 0:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (byte_count, byte_count))


def main(channel) -> None:
    limit_memory(int(sys.argv[2]))
    link = Link(channel)
    triton_link.set_link(link)
    link.send(STARTED, 0, {"python": sys.version.split()[0]})
    from . import triton_python_backend_utils

    sys.modules["triton_python_backend_utils"] = triton_python_backend_utils
    sys.modules["c_python_backend_utils"] = triton_python_backend_utils
    instance = Instance(link)
    link.start(instance.is_ready)
    while True:
        serve(instance, link, *link.work.get())


def serve(instance: Instance, link: Link, kind, call_id, head, body) -> None:
    """One frame. Nothing of it is held afterwards."""
    try:
        if kind == EXECUTE:
            instance.execute(call_id, head, body)
        elif kind == PREPARE:
            link.send(PREPARED, call_id, {"config": instance.prepare(head)})
        elif kind == INITIALIZE:
            instance.initialize(head["args"], head["isDecoupled"])
            link.send(LOADED, call_id, {})
        elif kind == END:
            finish(instance)
    except (BrokenPipeError, ConnectionResetError):
        leave(0)
    except BaseException as error:
        traceback.print_exc()
        link.send(LOAD_FAILED, call_id, {"message": load_failure(error)})
        leave(0)


def finish(instance: Instance):
    try:
        instance.finalize()
    except BaseException:
        traceback.print_exc()
    leave(0)
