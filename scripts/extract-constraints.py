#!/usr/bin/env python3
"""Extracts constraints and output shapes of the operations Berth offers from botocore's service models.

Usage: extract-constraints.py [OUTPUT_DIR]   (default: src/wire/generated)

Writes sagemaker-constraints.json (input shapes, part of the product) and sagemaker-output-shapes.json (used by tests
only). The JavaScript SDK carries no constraints, so this is the one source of lengths, patterns, enums and required
members. Deterministic: the same botocore gives the same bytes, so CI can compare.
"""

import gzip
import json
import pathlib
import sys

import botocore

# The version the committed files were made from; another one would change them without anybody deciding so.
BOTOCORE_VERSION = "1.43.11"

SAGEMAKER = ("sagemaker", "2017-07-24")
RUNTIME = ("sagemaker-runtime", "2017-05-13")

OFFERED = {
    SAGEMAKER: [
        "AddTags", "CreateCompilationJob", "CreateEndpoint", "CreateEndpointConfig", "CreateModel",
        "DeleteCompilationJob", "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel", "DeleteTags",
        "DescribeCompilationJob", "DescribeEndpoint", "DescribeEndpointConfig", "DescribeModel", "ListCompilationJobs",
        "ListEndpointConfigs", "ListEndpoints", "ListModels", "ListTags", "StopCompilationJob", "UpdateEndpoint",
        "UpdateEndpointWeightsAndCapacities",
    ],
    RUNTIME: ["InvokeEndpoint", "InvokeEndpointWithResponseStream"],
}

# Patterns that are broken in the model. CustomerMetadataKey and -Value say `$` before a repeat count.
PATCHED_PATTERNS = {
    r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,128}": r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)",
    r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,256}": r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)",
}

# Java's regular expressions, which the models are written in, to JavaScript's with the flag `u`.
JAVA_TO_JAVASCRIPT = [(r"\A", "^"), (r"\z", "$"), (r"\Z", "$"), (r"\p{Print}", r"\x20-\x7E")]


def load_model(service):
    name, version = service
    path = pathlib.Path(botocore.__file__).parent / "data" / name / version / "service-2.json"
    packed = path.with_suffix(".json.gz")
    if packed.exists():
        with gzip.open(packed) as file:
            return json.load(file)
    return json.loads(path.read_text())


def javascript_pattern(pattern):
    pattern = PATCHED_PATTERNS.get(pattern, pattern)
    for java, javascript in JAVA_TO_JAVASCRIPT:
        if java == r"\p{Print}" and java in pattern and f"[{java}]" not in pattern:
            raise SystemExit(f"{java} outside a class is not translated: {pattern}")
        pattern = pattern.replace(java, javascript)
    return pattern


def compact_member(member):
    kept = {"shape": member["shape"]}
    for key in ("location", "locationName"):
        if key in member:
            kept[key] = member[key]
    return kept


def compact_shape(shape, payload):
    compact = {"type": shape["type"]}
    for key in ("min", "max", "enum", "required", "pattern"):
        if key in shape:
            compact[key] = shape[key]
    # The service's messages show the model's pattern; the one that is compiled may differ.
    if "pattern" in shape and javascript_pattern(shape["pattern"]) != shape["pattern"]:
        compact["javascriptPattern"] = javascript_pattern(shape["pattern"])
    if "members" in shape:
        compact["members"] = {name: compact_member(member) for name, member in shape["members"].items()}
    if payload and "payload" in shape:
        compact["payload"] = shape["payload"]
    for key in ("member", "key", "value"):
        if key in shape:
            compact[key] = shape[key]["shape"]
    return compact


def references(shape):
    yield from (member["shape"] for member in shape.get("members", {}).values())
    yield from (shape[key]["shape"] for key in ("member", "key", "value") if key in shape)


def transitive(model, roots):
    found, waiting = {}, list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            shape = model["shapes"][name]
            found[name] = compact_shape(shape, payload=True)
            waiting.extend(references(shape))
    return dict(sorted(found.items()))


def extract(service, direction):
    model = load_model(service)
    operations = {
        name: model["operations"][name][direction]["shape"] if direction in model["operations"][name] else None
        for name in OFFERED[service]
    }
    roots = [shape for shape in operations.values() if shape is not None]
    return {"apiVersion": service[1], "operations": operations, "shapes": transitive(model, roots)}


def main():
    if botocore.__version__ != BOTOCORE_VERSION:
        raise SystemExit(f"botocore {BOTOCORE_VERSION} is needed, {botocore.__version__} is installed")
    default = pathlib.Path(__file__).parent.parent / "src/wire/generated"
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    target.mkdir(parents=True, exist_ok=True)
    for file, direction in (("sagemaker-constraints.json", "input"), ("sagemaker-output-shapes.json", "output")):
        table = {
            "source": f"botocore {BOTOCORE_VERSION}",
            "sagemaker": extract(SAGEMAKER, direction),
            "runtime": extract(RUNTIME, direction),
        }
        (target / file).write_text(json.dumps(table, indent=1, ensure_ascii=True) + "\n")


main()
