"""What a model may ask of the server beside inference: its log, its metrics, and other models' comings and goings."""

import base64

from . import triton_link
from .pb_tensor import TritonModelException


class LogLevel:
    INFO = "info"
    WARNING = "warn"
    ERROR = "error"
    VERBOSE = "verbose"


class Logger:
    """Writes to the server's log, at its levels."""

    LogLevel = LogLevel
    INFO, WARNING, ERROR, VERBOSE = LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR, LogLevel.VERBOSE

    @staticmethod
    def log(message, level=LogLevel.INFO):
        triton_link.get_link().send(triton_link.LOG, 0, {"level": level, "message": str(message)})

    @staticmethod
    def log_info(message):
        Logger.log(message, LogLevel.INFO)

    @staticmethod
    def log_warn(message):
        Logger.log(message, LogLevel.WARNING)

    @staticmethod
    def log_error(message):
        Logger.log(message, LogLevel.ERROR)

    @staticmethod
    def log_verbose(message):
        Logger.log(message, LogLevel.VERBOSE)


class MetricKind:
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric:
    """One series of a family; gone from the metrics of the server when the last who made it lets go of it."""

    def __init__(self, number):
        self._number = number

    def increment(self, value):
        self._change("increment", value)

    def set(self, value):
        self._change("set", value)

    def observe(self, value):
        self._change("observe", value)

    def value(self):
        return float(self._change("read", 0))

    def _change(self, operation, value):
        asked = {"what": "metric", "operation": operation, "number": self._number, "value": float(value)}
        return _ask(asked, "Failed to process the custom metrics request").get("value")

    def __del__(self):
        try:
            triton_link.get_link().send(triton_link.METRIC, 0, {"number": self._number})
        except OSError:
            pass


class MetricFamily:
    """Metrics of one name; a name that is known already is the same family."""

    COUNTER, GAUGE, HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM

    def __init__(self, name, description, kind):
        self._family = {"name": name, "description": description, "kind": kind}
        _ask({"what": "metric family", **self._family}, "Error when creating MetricFamily")

    def Metric(self, labels=None, buckets=None):
        asked = {"what": "new metric", "family": self._family["name"], "labels": labels or {}, "buckets": buckets}
        return Metric(_ask(asked, "Error when creating Metric")["number"])


def load_model(model_name, files=None, config=""):
    """Loads a model as it is in its repository now, or as `config` (JSON) and `files` (`file:` paths) say."""
    encoded = {path: base64.b64encode(content).decode() for path, content in (files or {}).items()}
    _ask({"what": "load", "model": model_name, "config": config, "files": encoded}, "Failed to load model")


def unload_model(model_name, unload_dependents=False):
    asked = {"what": "unload", "model": model_name, "withDependents": bool(unload_dependents)}
    _ask(asked, "Failed to unload model")


def is_model_ready(model_name, model_version=""):
    asked = {"what": "readiness", "model": model_name, "version": str(model_version)}
    return _ask(asked, "Failed to check model readiness")["value"]


def _ask(asked, failure):
    head, _ = triton_link.get_link().ask(asked)
    error = head.get("error")
    if error is not None:
        raise TritonModelException("%s: %s" % (failure, error["message"]))
    return head
