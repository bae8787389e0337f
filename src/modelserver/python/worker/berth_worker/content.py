"""Bodies to arrays and back, with the media types and rules of the SageMaker inference toolkit."""

import io
import json

JSON = "application/json"
CSV = "text/csv"
NPY = "application/x-npy"
NPZ = "application/x-npz"
RECORDIO = "application/x-recordio-protobuf"
TORCH = "tensor/pt"
_NPY_MAGIC = b"\x93NUMPY"
ANY = "*/*"
UTF8_TYPES = (JSON, CSV)
ENCODED_TYPES = (JSON, CSV, NPY)

_UNSUPPORTED = """Content type %s is not supported by this framework.

Please implement input_fn to to deserialize the request data or an output_fn to
serialize the response. For more information, see the SageMaker Python SDK README."""


class UnsupportedFormatError(Exception):
    """Sentence as the toolkit's."""

    def __init__(self, content_type):
        super().__init__(_UNSUPPORTED % content_type)


def base_type(content_type):
    """The media type without parameters. The toolkit refuses `text/csv; charset=utf-8`; here it means `text/csv`."""
    return None if content_type is None else content_type.split(";", 1)[0].strip().lower()


def text_of(body) -> str:
    return body if isinstance(body, str) else bytes(body).decode("utf-8")


def decode(body, content_type):
    """A numpy array (or a sparse matrix) of a body in one of the default types."""
    import numpy

    kind = base_type(content_type)
    if kind == JSON:
        return numpy.array(json.loads(text_of(body)))
    if kind == CSV:
        return _csv(text_of(body))
    if kind == NPY:
        return numpy.load(io.BytesIO(body), allow_pickle=True)
    if kind == NPZ:
        import scipy.sparse

        return scipy.sparse.load_npz(io.BytesIO(body))
    raise UnsupportedFormatError(content_type)


def is_npy(body) -> bool:
    """The SageMaker SDK's tensor/pt is an npy file; other clients send what torch.save writes."""
    return bytes(body[:6]) == _NPY_MAGIC


def _csv(text: str):
    """As the toolkit reads it, but columns of whole and of other numbers are one array, not records."""
    import numpy

    array = numpy.genfromtxt(io.StringIO(text), dtype=None, delimiter=",", encoding="utf-8")
    kinds = {array.dtype[name].kind for name in array.dtype.names or ()}
    if kinds and kinds <= set("biuf"):
        return numpy.genfromtxt(io.StringIO(text), delimiter=",")
    return array


def encode(prediction, content_type):
    """The body for a prediction."""
    if content_type == JSON:
        return to_json(prediction)
    import numpy

    if content_type == CSV:
        stream = io.StringIO()
        numpy.savetxt(stream, prediction, delimiter=",", fmt="%s")
        return stream.getvalue()
    if content_type in (NPY, TORCH):
        buffer = io.BytesIO()
        numpy.save(buffer, prediction)
        return buffer.getvalue()
    raise UnsupportedFormatError(content_type)


def encode_accepted(prediction, accept: str):
    """The body and its type, the first of the accepted ones that there is an encoder for."""
    for content_type in accept.replace(" ", "").split(","):
        kind = JSON if content_type == ANY else base_type(content_type)
        if kind in ENCODED_TYPES:
            return encode(prediction, kind), kind
    raise UnsupportedFormatError(accept)


def to_json(value) -> str:
    return json.dumps(value, default=_plain)


def to_bytes(value):
    """What user code returned, as bytes: text as UTF-8, bytes as they are, everything else as JSON."""
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, memoryview):
        return value.tobytes()
    if isinstance(value, io.BytesIO):
        return value.getvalue()
    return to_json(value).encode("utf-8")


def _plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    return json.JSONEncoder().default(value)
