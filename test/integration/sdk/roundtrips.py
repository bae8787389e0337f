"""Every serializer and deserializer of the SageMaker SDK against the endpoints of sdk-serializers.test.ts.

Prints one JSON line a round trip: what was given, what is expected, what came back. The region, the endpoint of AWS and
the credentials are in the environment.
"""

import io
import json
import struct
import sys
import types

import numpy
import pandas
import scipy.sparse
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


class Tensor:
    """Stands in for torch.Tensor, whose package is too large to test with: what the SDK calls of it."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def numpy(self):
        return self.array


sys.modules["torch"] = types.ModuleType("torch")
sys.modules["torch"].Tensor = Tensor
sys.modules["torch"].from_numpy = Tensor

from sagemaker.core.deserializers.base import (  # noqa: E402
    BytesDeserializer,
    CSVDeserializer,
    JSONDeserializer,
    JSONLinesDeserializer,
    NumpyDeserializer,
    PandasDeserializer,
    RecordDeserializer,
    StreamDeserializer,
    StringDeserializer,
    TorchTensorDeserializer,
)
from sagemaker.core.resources import Endpoint  # noqa: E402
from sagemaker.core.serializers.base import (  # noqa: E402
    CSVSerializer,
    DataSerializer,
    IdentitySerializer,
    JSONLinesSerializer,
    JSONSerializer,
    LibSVMSerializer,
    NumpySerializer,
    RecordSerializer,
    SparseMatrixSerializer,
    StringSerializer,
    TorchTensorSerializer,
)


def ask(endpoint, serializer, data, deserializer):
    """The SDK's own call, with the types that its Predictor sends: a list is joined by commas."""
    accept = deserializer.ACCEPT
    reply = Endpoint(endpoint_name=endpoint, serializer=serializer, deserializer=deserializer).invoke(
        body=data,
        content_type=serializer.CONTENT_TYPE,
        accept=", ".join(accept) if isinstance(accept, (list, tuple)) else accept,
    )
    return reply.body


def plain(value):
    """What a deserializer gave, as JSON has it."""
    if isinstance(value, tuple):
        return [plain(value[0].read()), value[1]]
    if isinstance(value, Tensor):
        return plain(value.array)
    if isinstance(value, numpy.lib.npyio.NpzFile):
        return {name: plain(array) for name, array in value.items()}
    if isinstance(value, numpy.ndarray):
        return {"dtype": str(value.dtype), "array": value.tolist()}
    if isinstance(value, pandas.DataFrame):
        return {"columns": [str(name) for name in value.columns], "rows": value.values.tolist()}
    return value.decode() if isinstance(value, bytes) else value


def show(given, expected, endpoint, serializer, data, deserializer):
    try:
        got = plain(ask(endpoint, serializer, data, deserializer))
    except Exception as error:
        got = "%s: %s" % (type(error).__name__, str(error)[:600])
    print(json.dumps({"given": "%s: %s" % (endpoint, given), "expected": expected, "got": got}), flush=True)


class Records:
    """The SDK's Record classes raise NotImplementedError since its protobuf code was taken out; this is their form."""

    def __init__(self):
        file = descriptor_pb2.FileDescriptorProto(name="record.proto", package="records", syntax="proto2")
        value = file.message_type.add(name="Value")
        for name, number, kind in (("Float32", 2, "TYPE_FLOAT"), ("Float64", 3, "TYPE_DOUBLE"), ("Int32", 7, "TYPE_INT32")):
            self._tensor(file, name + "Tensor", kind)
            value.field.add(
                name=name.lower() + "_tensor", number=number, type="TYPE_MESSAGE", type_name=".records.%sTensor" % name, label="LABEL_OPTIONAL"
            )
        text = file.message_type.add(name="Bytes")
        text.field.add(name="value", number=1, type="TYPE_BYTES", label="LABEL_REPEATED")
        text.field.add(name="content_type", number=2, type="TYPE_STRING", label="LABEL_OPTIONAL")
        value.field.add(name="bytes", number=9, type="TYPE_MESSAGE", type_name=".records.Bytes", label="LABEL_OPTIONAL")
        record = file.message_type.add(name="Record")
        for number, name in enumerate(("features", "label"), 1):
            entry = record.nested_type.add(name=name.capitalize() + "Entry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
            entry.field.add(name="value", number=2, type="TYPE_MESSAGE", type_name=".records.Value", label="LABEL_OPTIONAL")
            record.field.add(name=name, number=number, type="TYPE_MESSAGE", type_name=".records.Record." + entry.name, label="LABEL_REPEATED")
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self.record = message_factory.GetMessageClass(pool.FindMessageTypeByName("records.Record"))

    @staticmethod
    def _tensor(file, name, kind):
        tensor = file.message_type.add(name=name)
        for number, (field, of) in enumerate((("values", kind), ("keys", "TYPE_UINT64"), ("shape", "TYPE_UINT64")), 1):
            added = tensor.field.add(name=field, number=number, type=of, label="LABEL_REPEATED")
            added.options.packed = True

    def encode(self, rows, width=None):
        body = b""
        for row in rows:
            record = self.record()
            tensor = record.features["values"].float32_tensor
            if width is not None:
                tensor.keys.extend(row)
                tensor.values.extend(row.values())
                tensor.shape.append(width)
            else:
                tensor.values.extend(row)
            payload = record.SerializeToString()
            body += struct.pack("<II", 0xCED7230A, len(payload)) + payload + b"\0" * (-len(payload) % 4)
        return body

    def decode(self, body):
        """Each record's label: the name of its field in Value, and the values."""
        records, at = [], 0
        while at < len(body):
            magic, size = struct.unpack_from("<II", body, at)
            assert magic == 0xCED7230A, "byte %d does not begin a record" % at
            record = self.record.FromString(body[at + 8 : at + 8 + size])
            records.append({name: self._plain(value) for name, value in sorted(record.label.items())})
            at += 8 + size + -size % 4
        return records

    @staticmethod
    def _plain(value):
        (field, tensor), = value.ListFields()
        values = [text.decode() for text in tensor.value] if field.name == "bytes" else list(tensor.values)
        return [field.name, values]


class LabelDeserializer(RecordDeserializer):
    """As the SDK's own, with the protobuf code that it had."""

    def deserialize(self, stream, content_type):
        return records.decode(stream.read())


ROWS = [[1, 0, 0], [0, 1, 0]]
ARRAY = numpy.array(ROWS, dtype="float32")
SPARSE = scipy.sparse.csr_matrix(ARRAY)
PREDICTIONS = {"predictions": [[1.5, 3.5], [2.5, 4.5]]}
ENCODED = '{"predictions":[[1.5,3.5],[2.5,4.5]]}'
records = Records()
npz = IdentitySerializer("application/x-npz")
recordio = IdentitySerializer("application/x-recordio-protobuf")
npy = io.BytesIO()
numpy.save(npy, ARRAY)
named = io.BytesIO()
numpy.savez_compressed(named, x=ARRAY)
unnamed = io.BytesIO()
numpy.savez(unnamed, ARRAY)

# Each serializer, answered as JSON.
for given, serializer, data in (
    ("CSVSerializer of lists", CSVSerializer(), ROWS),
    ("CSVSerializer of an array", CSVSerializer(), ARRAY),
    ("CSVSerializer of a data frame", CSVSerializer(), pandas.DataFrame(ROWS)),
    ("CSVSerializer of text", CSVSerializer(), "1,0,0\n0,1,0"),
    ("JSONSerializer", JSONSerializer(), {"instances": ROWS}),
    ("JSONSerializer of an array", JSONSerializer(), ARRAY),
    ("JSONLinesSerializer", JSONLinesSerializer(), ROWS),
    ("NumpySerializer", NumpySerializer(), ARRAY),
    ("NumpySerializer of integers", NumpySerializer("int64"), ROWS),
    ("NumpySerializer of a file", NumpySerializer(), io.BytesIO(npy.getvalue())),
    ("TorchTensorSerializer", TorchTensorSerializer(), Tensor(ARRAY)),
    ("LibSVMSerializer", LibSVMSerializer(), "1 1:1\n0 2:1"),
    ("SparseMatrixSerializer", SparseMatrixSerializer(), SPARSE),
    ("SparseMatrixSerializer by columns", SparseMatrixSerializer(), SPARSE.tocsc()),
    ("arrays by name", npz, named.getvalue()),
    ("an array of savez", npz, unnamed.getvalue()),
    ("records", recordio, records.encode(ARRAY)),
    ("sparse records", recordio, records.encode([{0: 1}, {1: 1}], width=3)),
    ("IdentitySerializer of JSON", IdentitySerializer("application/json"), json.dumps(ROWS)),
):
    show(given, PREDICTIONS, "affine", serializer, data, JSONDeserializer())

# Each deserializer of one request.
for given, deserializer, expected in (
    ("BytesDeserializer", BytesDeserializer(), ENCODED),
    ("StringDeserializer", StringDeserializer(), ENCODED),
    ("StreamDeserializer", StreamDeserializer(), [ENCODED, "application/json"]),
    ("CSVDeserializer", CSVDeserializer(), [["1.5", "3.5"], ["2.5", "4.5"]]),
    ("JSONLinesDeserializer", JSONLinesDeserializer(), [[1.5, 3.5], [2.5, 4.5]]),
    ("NumpyDeserializer", NumpyDeserializer(), {"dtype": "float32", "array": [[1.5, 3.5], [2.5, 4.5]]}),
    ("NumpyDeserializer of CSV", NumpyDeserializer(accept="text/csv", dtype="float32"), {"dtype": "float32", "array": [[1.5, 3.5], [2.5, 4.5]]}),
    ("NumpyDeserializer of npz", NumpyDeserializer(accept="application/x-npz"), {"y": {"dtype": "float32", "array": [[1.5, 3.5], [2.5, 4.5]]}}),
    ("RecordDeserializer", LabelDeserializer(), [{"y": ["float32_tensor", [1.5, 3.5]]}, {"y": ["float32_tensor", [2.5, 4.5]]}]),
    ("TorchTensorDeserializer", TorchTensorDeserializer(), {"dtype": "float32", "array": [[1.5, 3.5], [2.5, 4.5]]}),
    # pandas takes the first line for a header, as it does on SageMaker.
    ("PandasDeserializer", PandasDeserializer(), {"columns": ["1.5", "3.5"], "rows": [[2.5, 4.5]]}),
    ("PandasDeserializer of JSON", PandasDeserializer("application/json"), {"columns": ["predictions"], "rows": [[[1.5, 3.5]], [[2.5, 4.5]]]}),
):
    show(given, expected, "affine", NumpySerializer(), ARRAY, deserializer)

# What has no meaning for a model of numbers is refused, with what is served.
UNSERVED = ("not served", 415)
for serializer, data in (
    (StringSerializer(), "one"),
    (IdentitySerializer(), b"\0\1"),
    (DataSerializer(), b"\0\1"),
):
    show(type(serializer).__name__, UNSERVED, "affine", serializer, data, JSONDeserializer())
show("RecordDeserializer of the SDK", ("NotImplementedError", 0), "affine", NumpySerializer(), ARRAY, RecordDeserializer())
show("RecordSerializer", ("NotImplementedError", 0), "affine", RecordSerializer(), ARRAY, JSONDeserializer())

# What does not fit is refused, with the model's signature.
for given, serializer, data, words in (
    ("a wrong width", NumpySerializer(), ARRAY[:, :2], "shape [2, 2]"),
    ("a wrong type", JSONSerializer(), [["a", 0, 0]], "value 1"),
    ("a wrong name", JSONSerializer(), {"inputs": {"z": ROWS}}, "names z, not an input"),
    ("uneven rows", CSVSerializer(), "1,0,0\n1", "row 1 has 3 fields and row 2 has 1"),
    ("a sparse matrix of another width", SparseMatrixSerializer(), SPARSE[:, :2], "rows have 2 values, and the model takes 3"),
    ("a column too many", LibSVMSerializer(), "1 1:1 7:1", "a value in column 7"),
):
    show(given, (words, "The model takes inputs: x float32 [N, 3]; outputs: y float32 [N, 2]", 400), "affine", serializer, data, JSONDeserializer())

# Labels and the highest classes.
IRIS = numpy.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.1, 4.7, 1.5]], dtype="float32")
show("labels as CSV", [["setosa"], ["versicolor"]], "classes", CSVSerializer(), IRIS, type("Labels", (CSVDeserializer,), {
    "deserialize": lambda self, stream, kind: [row[:1] for row in CSVDeserializer.deserialize(self, stream, kind)],
})())
show("top-k as CSV", [["setosa", 4], ["versicolor", 4]], "classes", CSVSerializer(), IRIS, type("Top", (CSVDeserializer,), {
    "deserialize": lambda self, stream, kind: [[row[0], len(row)] for row in CSVDeserializer.deserialize(self, stream, kind)],
})(accept="text/csv;top-k=2"))

show("labels as npz", {"dtype": "<U10", "array": ["setosa", "versicolor"]}, "classes", NumpySerializer(), IRIS, type("Archive", (NumpyDeserializer,), {
    "deserialize": lambda self, stream, kind: NumpyDeserializer.deserialize(self, stream, kind)["output_label"],
})(accept="application/x-npz"))
show("labels as records", [["bytes", ["setosa"]], ["bytes", ["versicolor"]]], "classes", NumpySerializer(), IRIS, type("Label", (LabelDeserializer,), {
    "deserialize": lambda self, stream, kind: [row["output_label"] for row in LabelDeserializer.deserialize(self, stream, kind)],
})())

# The same serializers for Python code: the defaults of the toolkit, and bytes as they are.
LISTED = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
for given, serializer, data, expected in (
    ("CSVSerializer", CSVSerializer(), ROWS, ROWS),
    ("JSONSerializer", JSONSerializer(), ROWS, ROWS),
    ("NumpySerializer", NumpySerializer(), ARRAY, LISTED),
    ("SparseMatrixSerializer", SparseMatrixSerializer(), SPARSE, LISTED),
):
    show(given, expected, "arrays", serializer, data, JSONDeserializer())
for given, deserializer, expected in (
    ("CSVDeserializer", CSVDeserializer(), [["1.0", "0.0", "0.0"], ["0.0", "1.0", "0.0"]]),
    ("NumpyDeserializer", NumpyDeserializer(), {"dtype": "float32", "array": LISTED}),
    ("PandasDeserializer", PandasDeserializer("application/json"), {"columns": ["0", "1", "2"], "rows": ROWS}),
    ("StringDeserializer", StringDeserializer(), json.dumps(LISTED)),
):
    show(given, expected, "arrays", NumpySerializer(), ARRAY, deserializer)
for serializer, data, expected in (
    (StringSerializer(), "eins", "text/plain bytes eins"),
    (IdentitySerializer(), b"zwei", "application/octet-stream bytes zwei"),
    (DataSerializer(), b"drei", "file-path/raw-bytes bytes drei"),
    (JSONLinesSerializer(), [1, 2], "application/jsonlines bytes 1\n2"),
    (LibSVMSerializer(), "1 1:1", "text/libsvm bytes 1 1:1"),
):
    show(type(serializer).__name__, expected, "bytes", serializer, data, StringDeserializer(accept="text/plain"))

# The built-in algorithm's own formats give one score, whichever way a row comes.
row = numpy.array([[0.9, 0.1]], dtype="float32")
score = ask("booster", CSVSerializer(), row, CSVDeserializer())
for given, serializer, data in (
    ("LibSVMSerializer", LibSVMSerializer(), "1 1:0.9 2:0.1"),
    ("NumpySerializer", NumpySerializer(), row),
    ("records", recordio, records.encode(row)),
    ("sparse records", recordio, records.encode([{0: 0.9, 1: 0.1}], width=2)),
    ("SparseMatrixSerializer", SparseMatrixSerializer(), scipy.sparse.csr_matrix(row)),
):
    show(given, score, "booster", serializer, data, CSVDeserializer())
show("a broken record", ("byte 0 does not begin a record", 415), "booster", recordio, b"records!", CSVDeserializer())
