"""all-MiniLM-L6-v2 in NumPy: six layers of BERT, the mean of the tokens, a vector of length 1."""

import os

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HEADS = 12
TOKENS_MAX = 256
EPSILON = 1e-12


class Encoder:
    def __init__(self, folder):
        self.weights = load_file(os.path.join(folder, "model.safetensors"))
        self.tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.tokenizer.enable_truncation(TOKENS_MAX)
        self.tokenizer.enable_padding()
        self.layers = 1 + max(int(name.split(".")[2]) for name in self.weights if name.startswith("encoder.layer."))

    def encode(self, sentences):
        """One row of 384 float32 a sentence."""
        encoded = self.tokenizer.encode_batch(sentences)
        tokens = np.array([one.ids for one in encoded])
        mask = np.array([one.attention_mask for one in encoded], dtype=np.float32)
        states = self._embed(tokens)
        for layer in range(self.layers):
            states = self._layer("encoder.layer.%d." % layer, states, mask)
        pooled = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def _embed(self, tokens):
        tables = [self.weights["embeddings.%s_embeddings.weight" % name] for name in ("word", "position", "token_type")]
        summed = tables[0][tokens] + tables[1][: tokens.shape[1]] + tables[2][0]
        return self._normalised("embeddings.LayerNorm", summed)

    def _layer(self, name, states, mask):
        attended = self._dense(name + "attention.output.dense", self._attend(name + "attention.self.", states, mask))
        states = self._normalised(name + "attention.output.LayerNorm", states + attended)
        hidden = gelu(self._dense(name + "intermediate.dense", states))
        return self._normalised(name + "output.LayerNorm", states + self._dense(name + "output.dense", hidden))

    def _attend(self, name, states, mask):
        batch, length, width = states.shape
        query, key, value = (
            self._dense(name + part, states).reshape(batch, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.sqrt(np.float32(width // HEADS))
        scores += (mask[:, None, None, :] - 1) * np.float32(1e9)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        return (shares @ value).transpose(0, 2, 1, 3).reshape(batch, length, width)

    def _dense(self, name, states):
        return states @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def _normalised(self, name, states):
        centred = states - states.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
        return centred / scale * self.weights[name + ".weight"] + self.weights[name + ".bias"]


def gelu(values):
    """x/2 · (1 + erf(x/√2)), with erf to 2e-7: Abramowitz and Stegun, 7.1.26."""
    scaled = np.abs(values) / np.sqrt(np.float32(2))
    step = 1 / (1 + np.float32(0.3275911) * scaled)
    series = step * (0.254829592 + step * (-0.284496736 + step * (1.421413741 + step * (-1.453152027 + step * 1.061405429))))
    erf = np.sign(values) * (1 - series * np.exp(-(scaled**2)))
    return (values * (1 + erf) / 2).astype(np.float32)
