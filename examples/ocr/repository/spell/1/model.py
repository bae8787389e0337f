import os

import numpy as np
import triton_python_backend_utils as pb_utils

BLANK = 0
SCORE_MIN = 0.5


class TritonPythonModel:
    """Reads lines from probabilities (CTC): of equal neighbours one, without blanks. Lines that are too unsure are left out."""

    def initialize(self, args):
        folder = os.path.join(args["model_repository"], args["model_version"])
        with open(os.path.join(folder, "characters.txt"), encoding="utf-8") as file:
            characters = file.read().split("\n")
        self.alphabet = np.array(["", *characters, " "], dtype=object)

    def execute(self, requests):
        return [self.spell(request) for request in requests]

    def spell(self, request):
        characters = pb_utils.get_input_tensor_by_name(request, "CHARACTERS").as_numpy()
        boxes = pb_utils.get_input_tensor_by_name(request, "BOXES").as_numpy()
        lines = [self.line(probabilities) for probabilities in characters]
        kept = [index for index, (text, score) in enumerate(lines) if text and score >= SCORE_MIN]
        outputs = {
            "TEXT": np.array([lines[index][0].encode() for index in kept], dtype=object),
            "SCORE": np.array([lines[index][1] for index in kept], dtype=np.float32),
            "CORNERS": boxes[kept].reshape(-1, 4, 2),
        }
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])

    def line(self, probabilities):
        best = probabilities.argmax(axis=1)
        is_new = np.concatenate(([True], best[1:] != best[:-1])) & (best != BLANK)
        scores = probabilities.max(axis=1)[is_new]
        return "".join(self.alphabet[best[is_new]]).strip(), float(scores.mean()) if scores.size else 0.0
