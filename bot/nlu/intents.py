"""What a sentence does: a softmax over intents, one over the topics of some, and whether it is out of scope."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from bot.nlu.linear import FloatArray, Logistic, SoftmaxHead, hashed_features, product, softmax
from bot.nlu.slots import Sentence
from bot.nlu.tokens import lower

OUT_OF_SCOPE = "out_of_scope"
WIDTH = 4096
"""Hash buckets of the sparse features."""
NEAREST, SCALE = 3, 2.0
"""Neighbours per intent, and how much their cosines weigh beside the embedding (chosen by cross-validation)."""


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
    """Hashed n-grams of a sentence, as long as its (unit) embedding."""
    return hashed_features(grams(sentence), WIDTH, scale=1.0)


@dataclass(frozen=True)
class Neighbours:
    """Embeddings of the training sentences, grouped by intent: how near a sentence is to its nearest examples.

    ``vectors`` (N, D) unit vectors, those of label ``k`` at ``offsets[k]:offsets[k + 1]``.
    """

    vectors: FloatArray
    offsets: NDArray[np.int64]

    def features(self, embeddings: FloatArray, skip: Sequence[NDArray[np.int64]] | None = None) -> FloatArray:
        """(N, K) mean cosine (negative ones as 0) to the NEAREST nearest examples of each label, times SCALE.

        ``skip`` names, per sentence, rows of ``vectors`` that it may not look at (itself, in training).
        """
        cosines = product(embeddings, self.vectors.T)
        for row, own in enumerate(skip or ()):
            cosines[row, own] = -1.0
        cosines = np.maximum(cosines, 0.0)
        label = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        total = np.zeros((len(embeddings), len(self.offsets) - 1), dtype=np.float32)
        for _ in range(NEAREST):
            best = np.maximum.reduceat(cosines, self.offsets[:-1], axis=1)
            total += best
            cosines = np.where(cosines == best[:, label], np.float32(0), cosines)
        return total * np.float32(SCALE / NEAREST)

    @classmethod
    def group(
        cls, vectors: FloatArray, targets: NDArray[np.int64], labels: int
    ) -> tuple[Neighbours, NDArray[np.int64]]:
        """Sort examples by label; also returns the order, i.e. which input each row of ``vectors`` is."""
        order = np.argsort(targets, kind="stable")
        return cls(vectors[order], np.searchsorted(targets[order], np.arange(labels + 1)).astype(np.int64)), order


@dataclass(frozen=True)
class IntentModel:
    """The softmax head over intents, a head over the topics of some of them, and the out-of-scope model.

    ``topics`` tells which FAQ entry, which chitchat, and what a request is after: with a handful of examples each,
    topics are told apart better among themselves than in one softmax with intents a hundred times as frequent.

    ``threshold`` is the out-of-scope probability above which a sentence is refused; it is chosen at training so
    that at most ``target_in_scope_loss`` of held-out sentences in scope are lost.
    """

    head: SoftmaxHead
    topics: Mapping[str, SoftmaxHead]
    neighbours: Neighbours
    out_of_scope: Logistic
    threshold: float

    def topic(self, intent: str, embedding: FloatArray, sentence: Sentence) -> dict[str, float]:
        """P(topic | intent) of one sentence, e.g. which FAQ entry; (1, D) embedding, {} for intents without topics."""
        head = self.topics.get(intent)
        if head is None:
            return {}
        rows = softmax(head.logits(embedding, [sparse_row(sentence)]))
        return dict(zip(head.labels, rows[0].tolist(), strict=True))

    def logits(self, embeddings: FloatArray, sentences: Sequence[Sentence]) -> FloatArray:
        """(N, K) calibrated logits."""
        dense = np.concatenate([embeddings, self.neighbours.features(embeddings)], axis=1)
        return self.head.logits(dense, [sparse_row(sentence) for sentence in sentences])

    def out_of_scope_probability(self, logits: FloatArray, evidence: Sequence[float]) -> NDArray[np.float64]:
        """(N,) probabilities that sentences are out of scope; ``evidence`` counts what was recognised in each."""
        return self.out_of_scope(scope_features(self.head.labels, logits, evidence))

    def save(self, folder: Path) -> None:
        """Write intents.safetensors and intents.json."""
        tensors: dict[str, NDArray[Any]] = {
            "neighbours.vectors": self.neighbours.vectors.astype(np.float16),
            "neighbours.offsets": self.neighbours.offsets,
        }
        meta: dict[str, Any] = {"out_of_scope": self.out_of_scope.to_json(), "threshold": self.threshold, "heads": {}}
        for name, head in {"intent": self.head, **self.topics}.items():
            tensors |= {f"{name}.dense": head.dense, f"{name}.sparse": head.sparse, f"{name}.bias": head.bias}
            meta["heads"][name] = {"labels": list(head.labels), "temperature": head.temperature}
        save_file(
            {name: np.ascontiguousarray(value) for name, value in tensors.items()}, folder / "intents.safetensors"
        )
        (folder / "intents.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> IntentModel:
        """Read what ``save`` wrote; OSError, ValueError or KeyError when it is damaged."""
        meta = json.loads((folder / "intents.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "intents.safetensors")
        heads = {name: _head(name, part, tensors) for name, part in meta["heads"].items()}
        vectors = tensors["neighbours.vectors"].astype(np.float32)
        offsets = tensors["neighbours.offsets"]
        if len(offsets) != len(heads["intent"].labels) + 1 or offsets[-1] != len(vectors):
            raise ValueError("the neighbours do not fit the intents")
        neighbours = Neighbours(vectors, offsets)
        return cls(
            heads.pop("intent"), heads, neighbours, Logistic.from_json(meta["out_of_scope"]), float(meta["threshold"])
        )


def _head(name: str, meta: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> SoftmaxHead:
    labels = tuple(str(label) for label in meta["labels"])
    dense, sparse, bias = (tensors[f"{name}.{part}"] for part in ("dense", "sparse", "bias"))
    if dense.shape[-1] != len(labels) or bias.shape != (len(labels),) or sparse.shape != (WIDTH, len(labels)):
        raise ValueError(f"the {name} head's shapes do not fit its {len(labels)} labels")
    if not all(np.isfinite(part).all() for part in (dense, sparse, bias)):
        raise ValueError(f"the {name} head holds numbers that are not finite")
    return SoftmaxHead(labels, dense, sparse, bias, float(meta["temperature"]))


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
