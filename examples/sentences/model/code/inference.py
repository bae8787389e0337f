"""Sentences to vectors: all at once as JSON, or streamed, one JSON line a sentence, as application/jsonlines."""

import json

from encoder import Encoder

BATCH = 16


def model_fn(model_dir):
    return Encoder(model_dir)


def input_fn(body, content_type):
    sentences = json.loads(body)["sentences"]
    if not sentences or not all(isinstance(sentence, str) for sentence in sentences):
        raise BadRequest('Send {"sentences": ["…", …]}, at least one.')
    return sentences


def predict_fn(sentences, model):
    for start in range(0, len(sentences), BATCH):
        yield from model.encode(sentences[start : start + BATCH]).tolist()


def output_fn(vectors, accept):
    if "application/jsonlines" in accept:
        return (json.dumps(vector) + "\n" for vector in vectors), "application/jsonlines"
    return json.dumps({"embeddings": list(vectors)}), "application/json"


class BadRequest(ValueError):
    status_code = 400

    @property
    def message(self):
        return str(self)
