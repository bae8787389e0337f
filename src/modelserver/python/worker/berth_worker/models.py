"""Models that need no code of the user: how each file is loaded, asked and answered.

A framework is imported only when its file, or a model of it, is there.
"""

import glob
import os
import pickle

from . import content, pipelines, recordio, torchscript
from .defaults import Defaults, StatusError

KNOWN = "model.joblib, model.pkl, xgboost-model, model.ubj, model.json, model.txt of LightGBM, model.pt, a Hugging Face folder"


def has_model(model_dir: str) -> bool:
    return _find(model_dir) is not None


def default_model_fn(model_dir: str):
    found = _find(model_dir)
    if found is None:
        raise NotImplementedError("Please provide a model_fn implementation; the defaults know: %s." % KNOWN)
    load, path = found
    return load(path)


def _find(model_dir: str):
    for name, load in _BY_NAME:
        path = os.path.join(model_dir, name)
        if os.path.isfile(path):
            return load, path
    for pattern, load in _BY_PATTERN:
        paths = glob.glob(os.path.join(glob.escape(model_dir), pattern))
        if len(paths) == 1:
            return load, paths[0]
    if os.path.isfile(os.path.join(model_dir, "config.json")):
        return pipelines.load, model_dir
    return None


def _load_joblib(path: str):
    try:
        import joblib
    except ModuleNotFoundError:
        return _load_pickle(path)
    return joblib.load(path)


def _load_pickle(path: str):
    with open(path, "rb") as file:
        return pickle.load(file)


def _load_xgboost(path: str):
    import xgboost

    # The built-in algorithm of older versions saved a pickle.
    with open(path, "rb") as file:
        if file.read(1) == b"\x80":
            return _load_pickle(path)
    booster = xgboost.Booster()
    booster.load_model(path)
    return booster


def _load_lightgbm(path: str):
    import lightgbm

    return lightgbm.Booster(model_file=path)


_BY_NAME = (
    ("model.joblib", _load_joblib),
    ("model.pkl", _load_joblib),
    ("model.pickle", _load_joblib),
    ("xgboost-model", _load_xgboost),
    ("model.ubj", _load_xgboost),
    ("model.xgb", _load_xgboost),
    ("model.json", _load_xgboost),
    ("model.bst", _load_xgboost),
    ("model.txt", _load_lightgbm),
    ("lightgbm-model", _load_lightgbm),
    ("model.pt", torchscript.load),
    ("model.pth", torchscript.load),
)

_BY_PATTERN = (
    ("*.joblib", _load_joblib),
    ("*.pkl", _load_joblib),
    ("*.ubj", _load_xgboost),
    ("*.pt", torchscript.load),
    ("*.pth", torchscript.load),
)


class ScikitLearn(Defaults):
    """Text becomes float32; a single row may come without its outer brackets."""

    def input_fn(self, body, content_type):
        array = content.decode(body, content_type)
        return array.astype("float32") if content.base_type(content_type) in content.UTF8_TYPES else array

    def predict_fn(self, data, model):
        return model.predict(data.reshape(1, -1) if data.ndim == 1 else data)


class XGBoost(Defaults):
    """CSV, LIBSVM, RecordIO and arrays as DMatrix; without user code, replies of the built-in algorithm."""

    def input_fn(self, body, content_type):
        import xgboost

        kind = content.base_type(content_type)
        if kind == content.CSV:
            return xgboost.DMatrix(_csv_rows(content.text_of(body)))
        if kind in ("text/libsvm", "text/x-libsvm"):
            return xgboost.DMatrix(_libsvm_rows(content.text_of(body)))
        if kind == content.RECORDIO:
            return xgboost.DMatrix(recordio.decode(bytes(body)))
        return xgboost.DMatrix(_rows(content.decode(body, content_type)))

    def predict_fn(self, data, model):
        return model.predict(data, validate_features=False)

    def serve_algorithm(self, body, content_type, accept, model):
        """Statuses and texts of the XGBoost image in algorithm mode."""
        try:
            data = self.input_fn(body, content_type)
        except Exception as error:
            raise StatusError(415, "Loading %s data failed with Exception: %s" % (content_type, error))
        try:
            prediction = self.predict_fn(data, model)
        except Exception as error:
            raise StatusError(400, "Unable to evaluate payload provided: %s" % error)
        if not accept or accept == content.ANY:
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or content.CSV
        kind = content.base_type(accept.split(",", 1)[0])
        values = prediction.tolist()
        if kind == content.JSON:
            return content.to_json({"predictions": [{"score": value} for value in values]}), kind
        if kind == "application/jsonlines":
            return "".join(content.to_json({"score": value}) + "\n" for value in values), kind
        if kind == content.CSV:
            return content.encode(prediction, content.CSV), kind
        supported = [content.CSV, content.JSON, "application/jsonlines"]
        message = "Accept type %s is not supported. Please use supported accept types: %s" % (accept, supported)
        raise StatusError(406, message)


class LightGBM(Defaults):
    def predict_fn(self, data, model):
        return model.predict(_rows(data))


_BY_FRAMEWORK = {
    "sklearn": ScikitLearn,
    "xgboost": XGBoost,
    "lightgbm": LightGBM,
    "torch": torchscript.Torch,
}


def defaults_for(model) -> Defaults:
    """By what the model is, whoever loaded it; a subclass counts as what it derives from."""
    for base in type(model).__mro__:
        # The models of transformers, without a pipeline around them, are those of PyTorch.
        if base.__module__.startswith("transformers.pipelines."):
            return pipelines.Transformers()
        # The scikit-learn faces of boosted trees take arrays and answer labels.
        if base.__module__ in ("xgboost.sklearn", "lightgbm.sklearn"):
            return ScikitLearn()
        found = _BY_FRAMEWORK.get(base.__module__.split(".", 1)[0])
        if found is not None:
            return found()
    return Defaults()


def _rows(array):
    return array.reshape(1, -1) if getattr(array, "ndim", 2) == 1 else array


def _csv_rows(text: str):
    import numpy

    first = text.split("\n", 1)[0][:512]
    delimiter = next((sign for sign in (",", ";", "\t", "|", " ") if sign in first), ",")
    rows = [line.split(delimiter) for line in text.splitlines() if line.strip()]
    return numpy.array([[float(cell) if cell.strip() else numpy.nan for cell in row] for row in rows], dtype="float32")


def _libsvm_rows(text: str):
    """Indices begin with 1 unless a 0 is among them; a row's label is not needed."""
    import scipy.sparse

    values, columns, offsets = [], [], [0]
    for line in text.splitlines():
        if not line.strip():
            continue
        for entry in line.split():
            column, separator, value = entry.partition(":")
            if separator:
                columns.append(int(column))
                values.append(float(value))
        offsets.append(len(columns))
    shift = 1 if columns and min(columns) >= 1 else 0
    return scipy.sparse.csr_matrix((values, [column - shift for column in columns], offsets), dtype="float32")
