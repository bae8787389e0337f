"""PyTorch without code: TorchScript files, as the PyTorch image serves them."""

import io
import os

from . import content
from .defaults import Defaults


class ModelLoadError(Exception):
    """Sentence as the toolkit's."""


def load(path: str):
    import torch

    try:
        model = torch.jit.load(path, map_location="cpu")
    except RuntimeError as error:
        # What torch.save wrote needs its class, so it needs a model_fn.
        message = "Failed to load %s. Please ensure model is saved using torchscript, or give a model_fn."
        raise ModelLoadError(message % os.path.basename(path)) from error
    model.eval()
    return model


class Torch(Defaults):
    """Tensors in, no gradients, lists out."""

    def input_fn(self, body, content_type):
        import torch

        if content.base_type(content_type) == content.TORCH:
            if content.is_npy(body):
                return torch.from_numpy(content.decode(body, content.NPY))
            return torch.load(io.BytesIO(body), weights_only=True)
        array = content.decode(body, content_type)
        return torch.from_numpy(array if content.base_type(content_type) == content.NPY else array.astype("float32"))

    def predict_fn(self, data, model):
        import torch

        with torch.no_grad():
            return model(data)

    def output_fn(self, prediction, accept):
        if hasattr(prediction, "detach"):
            prediction = prediction.detach().cpu().numpy()
        # As the SageMaker SDK's TorchTensorDeserializer reads it.
        if content.base_type(accept.split(",", 1)[0]) == content.TORCH:
            return content.encode(prediction, content.TORCH), content.TORCH
        return content.encode_accepted(prediction, accept)
