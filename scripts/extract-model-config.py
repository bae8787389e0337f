"""Writes src/wire/generated/model-config.json: Triton's ModelConfig as protobufjs reads descriptors.

Run: PYTHON scripts/extract-model-config.py [FOLDER], with a Python that has the tests' tritonclient
(test/support/triton-client.ts), which carries the compiled messages.

Fields are in the order of declaration: in it `GET /v2/models/<m>/config` prints them.
"""

import json
import pathlib
import sys

from google.protobuf.descriptor import FieldDescriptor as F
from tritonclient.grpc import model_config_pb2

SCALARS = {
    F.TYPE_STRING: "string",
    F.TYPE_BOOL: "bool",
    F.TYPE_INT32: "int32",
    F.TYPE_INT64: "int64",
    F.TYPE_UINT32: "uint32",
    F.TYPE_UINT64: "uint64",
    F.TYPE_FLOAT: "float",
    F.TYPE_DOUBLE: "double",
}


def type_of(field):
    if field.type == F.TYPE_MESSAGE:
        return f".{field.message_type.full_name}"
    if field.type == F.TYPE_ENUM:
        return f".{field.enum_type.full_name}"
    return SCALARS[field.type]


def field_of(field):
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        return {"keyType": type_of(key), "type": type_of(value), "id": field.number}
    is_repeated = field.is_repeated
    return {**({"rule": "repeated"} if is_repeated else {}), "type": type_of(field), "id": field.number}


def enum_of(enum):
    return {"values": {value.name: value.number for value in enum.values}}


def message_of(message):
    nested = {
        **{enum.name: enum_of(enum) for enum in message.enum_types},
        **{one.name: message_of(one) for one in message.nested_types if not one.GetOptions().map_entry},
    }
    oneofs = {one.name: {"oneof": [field.name for field in one.fields]} for one in message.oneofs}
    return {
        **({"oneofs": oneofs} if oneofs else {}),
        "fields": {field.name: field_of(field) for field in message.fields},
        **({"nested": nested} if nested else {}),
    }


file = model_config_pb2.DESCRIPTOR
messages = {name: message_of(one) for name, one in file.message_types_by_name.items()}
enums = {name: enum_of(one) for name, one in file.enum_types_by_name.items()}
root = {"nested": {"inference": {"nested": {**enums, **messages}}}}
committed = pathlib.Path(__file__).parent.parent / "src/wire/generated"
target = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else committed) / "model-config.json"
target.write_text(json.dumps(root, indent=1) + "\n")
