"""Answers one JSON line per JSON line: calls an operation of a boto3 client and reports what it returned or raised."""

import base64
import datetime
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError, WaiterError

clients = {}


def client(service):
    if service not in clients:
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        clients[service] = boto3.client(service, config=config)
    return clients[service]


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "read"):
        return {"base64": base64.b64encode(value.read()).decode()}
    return value


def given(value):
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    if isinstance(value, dict) and set(value) == {"epochSeconds"}:
        return datetime.datetime.fromtimestamp(value["epochSeconds"], datetime.timezone.utc)
    if isinstance(value, dict):
        return {key: given(item) for key, item in value.items()}
    if isinstance(value, list):
        return [given(item) for item in value]
    return value


def answer(call):
    target = client(call["service"])
    if "waiter" in call:
        target.get_waiter(call["waiter"]).wait(**given(call["input"]))
        return {"output": {}}
    output = getattr(target, call["method"])(**given(call["input"]))
    if "EventStream" in str(type(output.get("Body"))):
        output["Body"] = b"".join(event["PayloadPart"]["Bytes"] for event in output["Body"])
    output.pop("ResponseMetadata", None)
    return {"output": plain(output)}


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except ClientError as error:
        reply = {"error": {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}}
    except (ParamValidationError, WaiterError) as error:
        reply = {"error": {"code": type(error).__name__, "message": str(error)}}
    print(json.dumps(reply), flush=True)
