"""`application/x-recordio-protobuf` of Amazon's algorithms: rows, dense or sparse. `codecs/recordio.ts` reads the same.

    u32 magic, u32 bytes, a Record, padding to four bytes; all little-endian.
    Record { map<string, Value> features = 1; ... }    Value { Float32Tensor = 2; Float64Tensor = 3; Int32Tensor = 7 }
    tensor { values = 1; keys = 2; shape = 3 }         keys: the columns, where the row is sparse
"""

import struct

_MAGIC = 0xCED7230A
_HEAD = struct.Struct("<II")
_FEATURES, _KEY, _VALUE = 1, 1, 2
_VALUES, _KEYS, _SHAPE = 1, 2, 3
_TYPES = {2: "<f4", 3: "<f8", 7: None}


def decode(body: bytes):
    """A float32 array of the rows; a scipy CSR matrix when they are sparse. ValueError says which record is wrong."""
    rows = [_row(record, number) for number, record in enumerate(_records(body), 1)]
    # A sparse row of zeros alone has neither keys nor values, only its shape.
    if any(keys or (shape and not values) for values, keys, shape in rows):
        return _sparse(rows)
    import numpy

    widths = sorted({len(values) for values, _, _ in rows})
    if len(widths) > 1:
        raise ValueError("the records have rows of %s values" % " and ".join(map(str, widths)))
    return numpy.array([values for values, _, _ in rows], dtype="float32")


def _sparse(rows):
    import scipy.sparse

    values, columns, offsets = [], [], [0]
    width = max(max(shape, max(keys, default=-1) + 1) for _, keys, shape in rows)
    for row_values, keys, _ in rows:
        values.extend(row_values)
        columns.extend(keys if keys else range(len(row_values)))
        offsets.append(len(values))
    return scipy.sparse.csr_matrix((values, columns, offsets), shape=(len(rows), width), dtype="float32")


def _records(body: bytes):
    at = 0
    while at < len(body):
        magic, size = _HEAD.unpack_from(body, at) if at + _HEAD.size <= len(body) else (0, 0)
        if magic != _MAGIC or at + _HEAD.size + size > len(body):
            raise ValueError("byte %d does not begin a record" % at)
        yield body[at + _HEAD.size : at + _HEAD.size + size]
        at += _HEAD.size + size + -size % 4


def _row(record: bytes, number: int):
    """Values, keys and width of one record's features."""
    try:
        entries = [list(_fields(entry)) for field, entry in _fields(record) if field == _FEATURES]
        chosen = next((entry for entry in entries if (_KEY, b"values") in entry), entries[0] if len(entries) == 1 else [])
        value = next(payload for field, payload in chosen if field == _VALUE)
        kind, tensor = next((field, payload) for field, payload in _fields(value) if field in _TYPES)
    except (StopIteration, IndexError, TypeError):
        raise ValueError("record %d has no features named values" % number)
    values, keys, shape = [], [], [0]
    for field, payload in _fields(tensor):
        if field == _VALUES:
            values += _numbers(payload, _TYPES[kind])
        elif field == _KEYS:
            keys += _varints(payload)
        elif field == _SHAPE:
            shape = _varints(payload)
    return values, keys, shape[0]


def _numbers(payload: bytes, kind):
    if kind is None:
        return [value - (1 << 64) if value >> 63 else value for value in _varints(payload)]
    import numpy

    return numpy.frombuffer(payload, dtype=kind).tolist()


def _fields(message: bytes):
    """(number, payload) of each field; numbers and fixed-size fields have their value as payload."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 2:
            size, at = _varint(message, at)
            yield tag >> 3, message[at : at + size]
            at += size
        elif kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        else:
            size = {1: 8, 5: 4}[kind] if kind in (1, 5) else len(message)
            yield tag >> 3, message[at : at + size]
            at += size


def _varints(payload: bytes):
    values, at = [], 0
    while at < len(payload):
        value, at = _varint(payload, at)
        values.append(value)
    return values


def _varint(message: bytes, at: int):
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
