"""Tensors of Triton's Python backend, and their form on the channel."""

import struct

import numpy

# Datatype of the protocol, number of Triton's enumeration, numpy type.
_TYPES = (
    ("BOOL", 1, numpy.bool_),
    ("UINT8", 2, numpy.uint8),
    ("UINT16", 3, numpy.uint16),
    ("UINT32", 4, numpy.uint32),
    ("UINT64", 5, numpy.uint64),
    ("INT8", 6, numpy.int8),
    ("INT16", 7, numpy.int16),
    ("INT32", 8, numpy.int32),
    ("INT64", 9, numpy.int64),
    ("FP16", 10, numpy.float16),
    ("FP32", 11, numpy.float32),
    ("FP64", 12, numpy.float64),
    ("BYTES", 13, numpy.object_),
    ("BF16", 14, None),
)
NUMPY_BY_NUMBER = {number: kind for _, number, kind in _TYPES}
NUMPY_BY_DATATYPE = {datatype: kind for datatype, _, kind in _TYPES}
_NUMBER_BY_DATATYPE = {datatype: number for datatype, number, _ in _TYPES}
_DATATYPE_BY_NUMPY = {numpy.dtype(kind): datatype for datatype, _, kind in _TYPES if kind is not None}
_LENGTH = struct.Struct("<I")
# What a request's tensors are copied by, when they are small: one write is cheaper than several.
_COPIED_BYTES_MAX = 65536


class TritonModelException(Exception):
    """What the methods of this backend raise."""


class Tensor:
    """A named array in main memory."""

    __slots__ = ("_name", "_datatype", "_shape", "_array", "_raw")

    def __init__(self, name, array):
        if not isinstance(array, numpy.ndarray):
            raise TypeError("Tensor(name: str, array: numpy.ndarray) got %s: %r" % (type(array).__name__, array))
        self._name = str(name)
        self._datatype = _datatype_of(array)
        self._shape = array.shape
        self._array = numpy.ascontiguousarray(array).reshape(array.shape)
        self._raw = None

    @classmethod
    def _received(cls, described, body):
        """A tensor of a frame: `described` is its part of the head. Its bytes become an array when they are asked for."""
        tensor = cls.__new__(cls)
        tensor._name = described["name"]
        tensor._datatype = described["datatype"]
        tensor._shape = tuple(described["shape"])
        tensor._array = None
        at = described["at"]
        tensor._raw = body[at : at + described["bytes"]]
        return tensor

    def name(self):
        return self._name

    def as_numpy(self):
        """The array; writing to it changes the tensor."""
        if self._array is None:
            self._array = _array_of(self._datatype, self._shape, self._raw)
        return self._array

    def shape(self):
        return list(self._shape)

    def triton_dtype(self):
        return _NUMBER_BY_DATATYPE[self._datatype]

    def is_cpu(self):
        return True

    def to_dlpack(self):
        return self.__dlpack__()

    def __dlpack__(self, stream=None, **options):
        if self._datatype == "BYTES":
            raise TritonModelException("DLPack does not have support for string tensors.")
        array = self.as_numpy()
        # Memory that came by DLPack may be read only, which the protocol cannot say on.
        return (array if array.flags.writeable else array.copy()).__dlpack__()

    def __dlpack_device__(self):
        # kDLCPU, device 0.
        return (1, 0)

    @staticmethod
    def from_dlpack(name, tensor):
        """Takes whatever has `__dlpack__`, or a capsule, in main memory."""
        holder = tensor if hasattr(tensor, "__dlpack__") else _Capsule(tensor)
        return Tensor(name, numpy.from_dlpack(holder))

    def _encoded(self):
        """Its part of a frame's head and its bytes."""
        raw = self._raw if self._array is None else _bytes_of(self._datatype, self._array)
        size = raw.nbytes if hasattr(raw, "nbytes") else len(raw)
        described = {"name": self._name, "datatype": self._datatype, "shape": list(self._shape), "bytes": size}
        return described, raw


class _Capsule:
    """A DLPack capsule as numpy takes it."""

    def __init__(self, capsule):
        self._capsule = capsule

    def __dlpack__(self, **options):
        return self._capsule

    def __dlpack_device__(self):
        return (1, 0)


def _datatype_of(array):
    if array.dtype.kind == "S":
        return "BYTES"
    datatype = _DATATYPE_BY_NUMPY.get(array.dtype)
    if datatype is None:
        raise TritonModelException("NumPy dtype is not supported.")
    return datatype


def _array_of(datatype, shape, raw):
    if datatype == "BYTES":
        return split_texts(raw, shape)
    kind = NUMPY_BY_DATATYPE[datatype]
    if kind is None:
        raise TritonModelException("Tensor of BF16 has no NumPy type; numpy.frombuffer its bits from to_dlpack.")
    return numpy.frombuffer(raw, dtype=kind).reshape(shape)


def _bytes_of(datatype, array):
    if datatype == "BYTES":
        return join_texts(array)
    if array.nbytes <= _COPIED_BYTES_MAX:
        return array.tobytes()
    return numpy.ascontiguousarray(array).reshape(-1).view(numpy.uint8)


def split_texts(raw, shape):
    """An array of bytes objects from elements that each stand behind their length."""
    texts, at, end = [], 0, len(raw)
    while at < end:
        (length,) = _LENGTH.unpack_from(raw, at)
        at += 4
        texts.append(bytes(raw[at : at + length]))
        at += length
    array = numpy.empty(len(texts), dtype=numpy.object_)
    array[:] = texts
    return array.reshape(shape)


def join_texts(array):
    parts = []
    for element in array.ravel(order="C").tolist():
        text = element if isinstance(element, bytes) else str(element).encode("utf-8")
        parts.append(_LENGTH.pack(len(text)))
        parts.append(text)
    return b"".join(parts)


def encode_tensors(tensors):
    """Descriptions for a frame's head, and the parts of its body."""
    described, parts, at = [], [], 0
    for tensor in tensors:
        one, raw = tensor._encoded()
        one["at"] = at
        at += one["bytes"]
        described.append(one)
        parts.append(raw)
    return described, parts
