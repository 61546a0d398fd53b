"""What a sentence does: a softmax over intents, chitchat topics and FAQ entries, and whether it is out of scope."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from bot.nlu.linear import FloatArray, Logistic, SoftmaxHead, hashed_features, softmax
from bot.nlu.slots import Sentence
from bot.nlu.tokens import lower

OUT_OF_SCOPE = "out_of_scope"
WIDTH = 4096
"""Hash buckets of the sparse features."""


def grams(sentence: Sentence) -> list[str]:
    """Word and character n-grams of a sentence in which known values are replaced by the name of their slot."""
    pieces: list[str] = []
    position = 0
    spans = [(h.start, h.end, f"<{h.entity}>") for h in sentence.hits]
    spans += [(r.start, r.end, f"<{r.kind}>") for r in sentence.readings if r.kind != "number"]
    text = lower(sentence.text)
    for start, end, name in sorted(spans):
        if start >= position:
            pieces += [text[position:start], f" {name} "]
            position = end
    words = "".join([*pieces, text[position:]]).replace("'", "").split()
    words = [word.strip(".,;:!") or word for word in words]
    found = [f"1 {word}" for word in words]
    found += [f"2 {a} {b}" for a, b in zip(["^", *words], [*words, "$"], strict=False)]
    found += [f"? {mark}" for mark in "?!" if mark in text]
    for word in words[:40]:
        padded = f" {word[:20]} "
        found.extend(padded[i : i + n] for n in (3, 4) for i in range(len(padded) - n + 1))
    return found


def sparse_row(sentence: Sentence) -> dict[int, float]:
    """Hashed n-grams of a sentence."""
    return hashed_features(grams(sentence), WIDTH, scale=1.0)


@dataclass(frozen=True)
class IntentModel:
    """The softmax head and the out-of-scope model on top of it.

    ``threshold`` is the out-of-scope probability above which a sentence is refused; it is chosen at training so
    that at most ``target_in_scope_loss`` of held-out sentences in scope are lost.
    """

    head: SoftmaxHead
    out_of_scope: Logistic
    threshold: float

    def classify(self, embeddings: FloatArray, sentences: Sequence[Sentence]) -> NDArray[np.float64]:
        """(N, K) probabilities over ``head.labels`` of N sentences."""
        return softmax(self.head.logits(embeddings, [sparse_row(sentence) for sentence in sentences]))

    def logits(self, embeddings: FloatArray, sentences: Sequence[Sentence]) -> FloatArray:
        """(N, K) calibrated logits."""
        return self.head.logits(embeddings, [sparse_row(sentence) for sentence in sentences])

    def out_of_scope_probability(self, logits: FloatArray, evidence: Sequence[float]) -> NDArray[np.float64]:
        """(N,) probabilities that sentences are out of scope; ``evidence`` counts what was recognised in each."""
        return self.out_of_scope(scope_features(self.head.labels, logits, evidence))

    def save(self, folder: Path) -> None:
        """Write intents.safetensors and intents.json."""
        tensors = {"dense": self.head.dense, "sparse": self.head.sparse, "bias": self.head.bias}
        save_file(
            {name: np.ascontiguousarray(value) for name, value in tensors.items()}, folder / "intents.safetensors"
        )
        meta: dict[str, Any] = {
            "labels": list(self.head.labels),
            "temperature": self.head.temperature,
            "out_of_scope": self.out_of_scope.to_json(),
            "threshold": self.threshold,
        }
        (folder / "intents.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> IntentModel:
        """Read what ``save`` wrote; OSError, ValueError or KeyError when it is damaged."""
        meta = json.loads((folder / "intents.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "intents.safetensors")
        labels = tuple(str(label) for label in meta["labels"])
        for name, width in (("dense", None), ("sparse", WIDTH), ("bias", None)):
            shape = tensors[name].shape
            if shape[-1] != len(labels) or (width is not None and shape[0] != width):
                raise ValueError(f"{name} has shape {shape}, expected {len(labels)} labels")
            if not np.isfinite(tensors[name]).all():
                raise ValueError(f"{name} holds numbers that are not finite")
        head = SoftmaxHead(labels, tensors["dense"], tensors["sparse"], tensors["bias"], float(meta["temperature"]))
        return cls(head, Logistic.from_json(meta["out_of_scope"]), float(meta["threshold"]))


def scope_features(labels: Sequence[str], logits: FloatArray, evidence: Sequence[float]) -> list[list[float]]:
    """Energy of the labels in scope (Liu et al. 2020), its gap to the best, the out-of-scope logit, the evidence."""
    inside = np.array([label != OUT_OF_SCOPE for label in labels])
    scope = logits[:, inside].astype(np.float64)
    best = scope.max(axis=1)
    energy = best + np.log(np.exp(scope - best[:, None]).sum(axis=1))
    outside = logits[:, ~inside].astype(np.float64)
    margin = (outside[:, 0] if outside.shape[1] else np.zeros(len(logits))) - energy
    spread = best - energy
    return [[e, s, m, n] for e, s, m, n in zip(energy, spread, margin, evidence, strict=True)]
