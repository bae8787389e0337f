"""Hugging Face models without code: a transformers pipeline, asked and answered as the Hugging Face image does it."""

import base64
import csv
import io
import json
import os

from . import content
from .defaults import Defaults, StatusError

# Which task a model was made for, by the end of its architecture's name; the first that fits.
TASKS = (
    ("TapasForQuestionAnswering", "table-question-answering"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForTokenClassification", "token-classification"),
    ("ForSequenceClassification", "text-classification"),
    ("ForMaskedLM", "fill-mask"),
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForConditionalGeneration", "text2text-generation"),
    ("ForImageClassification", "image-classification"),
    ("ForObjectDetection", "object-detection"),
    ("ForAudioClassification", "audio-classification"),
    ("ForCTC", "automatic-speech-recognition"),
)


def load(model_dir: str):
    import transformers

    # Tokenizers and the like are found beside the model.
    return transformers.pipeline(task_of(model_dir), model=model_dir)


def task_of(model_dir: str) -> str:
    """HF_TASK, else by the architecture; asked without one, transformers would ask the hub."""
    given = os.environ.get("HF_TASK")
    if given:
        return given
    with open(os.path.join(model_dir, "config.json"), encoding="utf-8") as file:
        architecture = (json.load(file).get("architectures") or ["no architecture"])[0]
    for ending, task in TASKS:
        if architecture.endswith(ending):
            return task
    message = "The task of the model cannot be told from %s in its config.json; set HF_TASK to one of transformers' pipelines."
    raise ValueError(message % architecture)


class Transformers(Defaults):
    """`{"inputs": …, "parameters": {…}}` in, the pipeline's answer out. What fails is the caller's fault, as in the image."""

    def input_fn(self, body, content_type):
        return _or_bad_request(_decode, body, content_type)

    def predict_fn(self, data, model):
        return _or_bad_request(_ask, data, model)

    def output_fn(self, prediction, accept):
        return _or_bad_request(_encode, prediction, accept)


def _or_bad_request(function, *arguments):
    try:
        return function(*arguments)
    except StatusError:
        raise
    except Exception as error:
        raise StatusError(400, str(error)) from error


def _decode(body, content_type):
    kind = content.base_type(content_type)
    if kind in (content.JSON, None):
        return json.loads(content.text_of(body))
    if kind == content.CSV:
        return {"inputs": _read_csv(content.text_of(body))}
    if kind == content.NPY:
        return {"inputs": content.decode(body, kind)}
    if kind == "text/plain":
        return {"inputs": content.text_of(body)}
    if kind.startswith("image/"):
        from PIL import Image

        return {"inputs": Image.open(io.BytesIO(body)).convert("RGB")}
    if kind.startswith("audio/"):
        return {"inputs": bytes(body)}
    raise content.UnsupportedFormatError(content_type)


def _read_csv(text: str):
    """A column `inputs` as a list of texts; else each row by the names of its columns, as for question and context."""
    rows = list(csv.DictReader(io.StringIO(text)))
    columns = set(rows[0]) if rows else set()
    if not columns & {"inputs", "question", "context"}:
        message = (
            "You need to provide the correct CSV with Header columns to use it with the inference toolkit default handler: "
            "inputs, or question and context."
        )
        raise StatusError(400, message)
    return [row["inputs"] for row in rows] if "inputs" in columns else rows


def _ask(data, pipeline):
    if not isinstance(data, dict):
        raise StatusError(400, 'The body must be {"inputs": …}, it is a %s.' % type(data).__name__)
    inputs = data["inputs"] if "inputs" in data else {name: data[name] for name in data if name != "parameters"}
    return pipeline(inputs, **(data.get("parameters") or {}))


def _encode(prediction, accept: str):
    for one in accept.replace(" ", "").split(","):
        kind = content.base_type(one)
        if kind in (content.JSON, content.ANY):
            return json.dumps(prediction, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain), content.JSON
        if kind == content.CSV:
            return _write_csv(prediction), kind
        if kind == content.NPY:
            return content.encode(prediction, kind), kind
    raise content.UnsupportedFormatError(accept)


def _write_csv(prediction) -> str:
    rows = prediction if isinstance(prediction, list) else [prediction]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise StatusError(400, "This prediction has no columns; ask for application/json.")
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    # A picture, such as the mask of a segment: PNG as base64.
    if hasattr(value, "save") and hasattr(value, "convert"):
        buffer = io.BytesIO()
        value.save(buffer, format="PNG")
        return base64.b64encode(buffer.getvalue()).decode("ascii")
    raise TypeError("A %s has no form in JSON." % type(value).__name__)
