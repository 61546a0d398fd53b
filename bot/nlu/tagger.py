"""The slot tagger: a linear-chain CRF over words, shapes, known names and duckling readings.

Lafferty et al. 2001; features in the manner of the CRF baselines for RESTAURANTS-8K. Labels are BIO with the role:
``B-food``, ``I-food``, ``B-food@denied`` ("not thai"), ``B-area@dontcare`` ("any part of town").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pycrfsuite

from bot.nlu.duckling import Reading
from bot.nlu.gazetteer import Hit
from bot.nlu.tokens import Token
from memory.dialogue import DONTCARE, Entity

OUTSIDE = "O"
_NEGATIONS = frozenset(
    ("not", "no", "don't", "dont", "without", "except", "but", "never", "isn't", "hate", "nothing", "instead", "than",
     "wasn't", "didn't", "neither", "nor", "can't", "avoid", "rather")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tagged:
    """A labelled run of tokens ``first:last`` (exclusive) with the mean marginal probability of its entity."""

    entity: str
    role: str | None
    first: int
    last: int
    marginal: float


def features(
    tokens: Sequence[Token], hits: Sequence[Hit], readings: Sequence[Reading], requested: str | None
) -> list[list[str]]:
    """One list of feature strings per token."""
    own = [_own(tokens, i, hits, readings) for i in range(len(tokens))]
    context = f"asked={requested or '-'}"
    rows = []
    for i, token in enumerate(tokens):
        row = ["bias", context, *(f"0:{name}" for name in own[i])]
        row += [f"suf3={token.lower[-3:]}", f"pre3={token.lower[:3]}", f"{context}&{_shape(token.text)}"]
        for offset in (-2, -1, 1, 2):
            j = i + offset
            if 0 <= j < len(tokens):
                row.extend(f"{offset}:{name}" for name in own[j])
            else:
                row.append(f"{offset}:edge")
        if i > 0:
            row.append(f"bi={tokens[i - 1].lower}|{token.lower}")
        if any(t.lower in _NEGATIONS for t in tokens[max(0, i - 4) : i]):
            row.append("after-negation")
        rows.append(row)
    return rows


def _own(tokens: Sequence[Token], i: int, hits: Sequence[Hit], readings: Sequence[Reading]) -> list[str]:
    token = tokens[i]
    names = [f"w={token.lower}", f"s={_shape(token.text)}"]
    for hit in hits:
        if hit.start <= token.start < hit.end:
            begin = "B" if hit.start == token.start else "I"
            names.append(f"{'g' if hit.score == 1.0 else 't'}={begin}-{hit.entity}")
    names.extend(f"d={r.kind}" for r in readings if r.start <= token.start < r.end)
    return list(dict.fromkeys(names))


def _shape(word: str) -> str:
    if word.isdigit():
        return f"d{min(len(word), 4)}"
    if word.isupper() and len(word) > 1:
        return "AA"
    if word[:1].isupper():
        return "Aa"
    return "a" if word.isalpha() else "?"


def gold_labels(tokens: Sequence[Token], entities: Sequence[Entity]) -> list[str]:
    """BIO labels of annotated entities; a token belongs to the first entity that overlaps it."""
    labels = [OUTSIDE] * len(tokens)
    for entity in entities:
        name = _label(entity.name, DONTCARE if entity.value == DONTCARE else entity.role)
        inside = [i for i, t in enumerate(tokens) if t.start < entity.end and entity.start < t.end]
        for i in inside:
            if labels[i] == OUTSIDE:
                labels[i] = f"{'B' if i == inside[0] else 'I'}-{name}"
    return labels


def _label(entity: str, role: str | None) -> str:
    return f"{entity}@{role}" if role else entity


class Tagger:
    """A trained CRF."""

    def __init__(self, model: Path) -> None:
        """Open a CRFsuite model file; ValueError when it is none."""
        self._crf = pycrfsuite.Tagger()
        self._crf.open(str(model))
        self._labels: dict[str, list[str]] = {}
        for label in self._crf.labels():
            if label != OUTSIDE:
                self._labels.setdefault(label[2:].split("@")[0], []).append(label)

    def tag(self, rows: Sequence[Sequence[str]]) -> list[Tagged]:
        """The most probable labelling as runs; call before ``marginal``, which refers to the same sentence."""
        labels = self._crf.tag([list(row) for row in rows]) if rows else []
        runs: list[tuple[str, int, int]] = []
        for i, label in enumerate(labels):
            if label == OUTSIDE:
                continue
            name = label[2:]
            if label.startswith("I-") and runs and runs[-1][0] == name and runs[-1][2] == i:
                runs[-1] = (name, runs[-1][1], i + 1)
            else:
                runs.append((name, i, i + 1))
        tagged = []
        for name, first, last in runs:
            entity, _, role = name.partition("@")
            tagged.append(Tagged(entity, role or None, first, last, self.marginal(entity, first, last)))
        return tagged

    def marginal(self, entity: str, first: int, last: int, role: str | None = None) -> float:
        """Mean over tokens ``first:last`` of P(token belongs to ``entity`` [in ``role``]) in the tagged sentence."""
        labels = [name for name in self._labels.get(entity, ()) if role is None or name.endswith(f"@{role}")]
        if not labels or first >= last:
            return 0.0
        total = sum(self._crf.marginal(label, i) for i in range(first, last) for label in labels)
        return min(1.0, float(total) / (last - first))


def train_tagger(sequences: Sequence[tuple[list[list[str]], list[str]]], model: Path) -> None:
    """Fit a CRF (L-BFGS, L1 0.05 and L2 0.02) on (feature rows, labels) and write it to ``model``."""
    trainer = pycrfsuite.Trainer(verbose=False)
    for rows, labels in sequences:
        if rows:
            trainer.append(rows, labels)
    trainer.set_params({"c1": 0.05, "c2": 0.02, "max_iterations": 60, "feature.possible_transitions": True})
    trainer.train(str(model))
