"""What every framework's defaults begin with."""

from . import content


class Defaults:
    """The toolkit's own: arrays in and out, and whatever `predict` the model has."""

    def input_fn(self, body, content_type):
        return content.decode(body, content_type)

    def predict_fn(self, data, model):
        if hasattr(model, "predict"):
            return model.predict(data)
        if callable(model):
            return model(data)
        raise NotImplementedError("Please provide a predict_fn implementation: a %s has no predict." % type(model).__name__)

    def output_fn(self, prediction, accept):
        return content.encode_accepted(prediction, accept)


class StatusError(Exception):
    """An error with a status of its own."""

    def __init__(self, status_code: int, message: str):
        super().__init__(message)
        self.status_code = status_code
        self.message = message
