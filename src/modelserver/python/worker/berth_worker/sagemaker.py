"""SageMaker's handler contract: model_fn, input_fn, predict_fn, output_fn, transform_fn of inference.py.

Rules and texts are those of the SageMaker inference toolkit; what the framework images add is in models.py.
"""

import importlib.util
import inspect
import os
import sys
import traceback
from types import GeneratorType

from . import content, models, packages
from .channel import Cancelled, leave
from .context import Context

# The kinds of frames; see channel.ts.
INVOKE = 1
LOADED, LOAD_FAILED, REPLY, REPLY_START, REPLY_DATA, REPLY_END, REPLY_BROKEN, CANCELLED = range(1, 9)

USER_FUNCTIONS = ("input_fn", "predict_fn", "output_fn")
MODEL_DIR_OF_IMAGES = "/opt/ml/model"


class LoadError(Exception):
    """Why there is nothing to serve, in a sentence for people."""


class Handler:
    """The functions that serve one model: the user's where there are any, else the defaults."""

    def __init__(self, model_dir: str):
        self.context = Context(model_dir)
        module = _user_module(model_dir)
        self._module = module
        self._default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or content.JSON
        self._is_algorithm = module is None
        transform_fn = getattr(module, "transform_fn", None)
        if transform_fn is not None and any(hasattr(module, name) for name in USER_FUNCTIONS):
            raise ValueError("Cannot use transform_fn implementation in conjunction with input_fn, predict_fn, and/or output_fn")
        self._load(model_dir, module)
        defaults = models.defaults_for(self.model)
        self._defaults = defaults
        self._input_fn = getattr(module, "input_fn", defaults.input_fn)
        self._predict_fn = getattr(module, "predict_fn", defaults.predict_fn)
        self._output_fn = getattr(module, "output_fn", defaults.output_fn)
        self._transform_fn = transform_fn or self._default_transform_fn

    def _load(self, model_dir: str, module) -> None:
        if hasattr(module, "pre_model_fn"):
            self._run(module.pre_model_fn, model_dir)
        model_fn = getattr(module, "model_fn", None)
        if model_fn is None and hasattr(module, "transform_fn") and not models.has_model(model_dir):
            self.model = None
        else:
            self.model = self._run(model_fn or models.default_model_fn, model_dir)
        if hasattr(module, "model_warmup_fn"):
            self._run(module.model_warmup_fn, model_dir, self.model)

    def invoke(self, body, headers):
        """The result of transform_fn and its content type."""
        content_type = headers.get("content-type")
        accept = headers.get("accept")
        if self._is_algorithm and isinstance(self._defaults, models.XGBoost):
            if len(body) == 0:
                self.context.status = 204
                return b"", None
            return self._defaults.serve_algorithm(body, content_type, accept, self.model)
        if not accept or accept == content.ANY:
            accept = self._default_accept
        data = body.decode("utf-8") if content_type in content.UTF8_TYPES else body
        result = self._run(self._transform_fn, self.model, data, content_type, accept)
        return result if isinstance(result, tuple) else (result, accept)

    def _default_transform_fn(self, model, body, content_type, accept):
        data = self._run(self._input_fn, body, content_type)
        prediction = self._run(self._predict_fn, data, model)
        # Parts of a stream are sent as they come; there is no whole to encode.
        if isinstance(prediction, GeneratorType) and self._output_fn == self._defaults.output_fn:
            return prediction, accept.split(",", 1)[0]
        return self._run(self._output_fn, prediction, accept)

    def _run(self, function, *arguments):
        count = len(inspect.signature(function).parameters)
        if count == len(arguments):
            return function(*arguments)
        if count == len(arguments) + 1:
            return function(*arguments, self.context)
        raise TypeError("%s takes %d arguments but %d were given." % (function.__name__, count, len(arguments)))


def _user_module(model_dir: str):
    """inference.py (or SAGEMAKER_PROGRAM) of the folder of user code; None when there is no such file."""
    program = os.environ.get("SAGEMAKER_PROGRAM") or "inference.py"
    if not program.endswith(".py"):
        program += ".py"
    folders = _code_folders(model_dir)
    for folder in folders:
        path = os.path.join(folder, program)
        if os.path.isfile(path):
            return _import_file(path, folder)
    if os.environ.get("SAGEMAKER_PROGRAM"):
        raise LoadError("SAGEMAKER_PROGRAM is %s, and there is no such file in %s." % (program, " or ".join(_shown(folders, model_dir))))
    if not models.has_model(model_dir):
        found = ", ".join(sorted(os.listdir(model_dir))[:8]) or "nothing"
        raise LoadError("There is neither code/inference.py nor a model file that the defaults know (%s); found: %s." % (models.KNOWN, found))
    return None


def _code_folders(model_dir: str):
    submitted = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if submitted.startswith(MODEL_DIR_OF_IMAGES):
        submitted = model_dir + submitted[len(MODEL_DIR_OF_IMAGES) :]
    folders = [submitted] if submitted and os.path.isdir(submitted) else []
    return folders + [os.path.join(model_dir, "code"), model_dir]


def _shown(folders, model_dir: str):
    return [os.path.relpath(folder, model_dir).replace(".", "the model folder", 1) if folder == model_dir else os.path.basename(folder) for folder in folders]


def _import_file(path: str, folder: str):
    sys.path.insert(0, folder)
    if os.path.dirname(path) != folder:
        sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    # Pickles made in a module of this name, and other modules of the user, find it.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main(channel) -> None:
    model_dir = sys.argv[2]
    try:
        handler = Handler(model_dir)
    except LoadError as error:
        channel.send(LOAD_FAILED, 0, {"message": str(error)})
        leave(0)
    except BaseException as error:
        traceback.print_exc()
        channel.send(LOAD_FAILED, 0, {"message": _load_failure(error, model_dir)})
        leave(0)
    channel.send(LOADED, 0, {"python": sys.version.split()[0], "model": type(handler.model).__name__})
    while True:
        frame = channel.receive()
        if frame is None:
            leave(0)
        _, call_id, head, body = frame
        _serve(channel, handler, call_id, head, bytes(body))


def _load_failure(error: BaseException, model_dir: str) -> str:
    """One line: where in the user's code, which error, what to do about it."""
    place = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(model_dir + os.sep):
            place = " in %s line %d (%s)" % (os.path.relpath(frame.filename, model_dir), frame.lineno, frame.name)
            break
    lines = [line for line in str(error).split("\n") if line.strip()]
    what = "%s: %s" % (type(error).__name__, lines[0] if lines else "")
    return " ".join(("The model could not be loaded%s: %s" % (place, what), packages.advice(error))).strip()


def _serve(channel, handler: Handler, call_id: int, head, body: bytes) -> None:
    try:
        handler.context.begin(head.get("requestId", ""), head["headers"])
        with channel.cancellable():
            result, content_type = handler.invoke(body, head["headers"])
            is_stream = isinstance(result, GeneratorType) or hasattr(result, "__next__")
            reply = None if is_stream else content.to_bytes(result)
        if is_stream:
            _stream(channel, handler, call_id, (result, content_type))
        else:
            channel.send(REPLY, call_id, _reply_head(handler.context, content_type), reply)
    except Cancelled:
        channel.send(CANCELLED, call_id, {})
    except (BrokenPipeError, ConnectionResetError):
        leave(0)
    except SystemExit as error:
        raise error
    except BaseException as error:
        trace = _trace(error)
        sys.stderr.write(trace)
        status = getattr(error, "status_code", None)
        message = getattr(error, "message", None) if status is not None else str(error)
        reply_head = {"status": status if isinstance(status, int) else 500, "headers": {"content-type": "text/plain"}}
        channel.send(REPLY, call_id, reply_head, ("%s\n%s" % (message, trace)).encode("utf-8"))


def _trace(error: BaseException) -> str:
    """From where user code begins: what called it is of no use to its author."""
    own = os.path.dirname(os.path.abspath(__file__))
    begin = error.__traceback__
    while begin is not None and begin.tb_frame.f_code.co_filename.startswith(own):
        begin = begin.tb_next
    return "".join(traceback.format_exception(type(error), error, begin or error.__traceback__))


def _stream(channel, handler: Handler, call_id: int, stream) -> None:
    """The first part decides: an error before it is a reply of its own, one after it breaks the stream."""
    parts, content_type = stream
    part = _next_part(channel, parts)
    channel.send(REPLY_START, call_id, _reply_head(handler.context, content_type))
    try:
        while part is not None:
            channel.send(REPLY_DATA, call_id, {}, part)
            part = _next_part(channel, parts)
    except Exception as error:
        traceback.print_exc()
        channel.send(REPLY_BROKEN, call_id, {"message": "%s: %s" % (type(error).__name__, error)})
        return
    channel.send(REPLY_END, call_id, {})


def _next_part(channel, parts):
    with channel.cancellable():
        for part in parts:
            is_plain = isinstance(part, (str, bytes, bytearray, memoryview))
            return content.to_bytes(part) if is_plain else content.to_bytes(part) + b"\n"
    return None


def _reply_head(context, content_type):
    headers = {"content-type": str(content_type)} if content_type is not None else {}
    return {"status": context.status, "headers": {**headers, **context.response_headers}}
