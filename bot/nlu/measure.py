"""How often the NLU errs on held-out sentences: the numbers that the simulator's error model is made of."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.assistant import Assistant, HeldOut
from bot.nlu.linear import expected_calibration_error
from bot.nlu.pipeline import NLU
from memory.dialogue import DONTCARE, DialogueAct, NLUResult, ScoredAct

_SURE = 0.5
_BINS = 10


def measure_nlu(nlu: NLU, assistant: Assistant, folder: Path | None = None) -> dict[str, Any]:
    """Run ``validation.yml`` through ``nlu``; writes error_model.json into ``folder`` when given.

    Returns act precision/recall/F1 at probability 0.5, the share of fully right sentences, the calibration error of
    all acts told, per-type F1, latency, and the error model (see ``error_model``).
    """
    results, timings = [], []
    for sentence in assistant.validation:
        started = time.perf_counter()
        results.append(nlu.parse(sentence.text, sentence.after))
        timings.append(1e3 * (time.perf_counter() - started))
    pairs = list(zip(assistant.validation, results, strict=True))
    model = error_model(pairs)
    if folder is not None:
        (folder / "error_model.json").write_text(json.dumps(model, indent=1), encoding="utf-8")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    told: list[tuple[float, bool]] = []
    exact = 0
    for sentence, result in pairs:
        gold, sure = gold_acts(sentence), sure_acts(result)
        exact += gold == sure
        for act in sure | gold:
            counts[act.type]["hit" if act in gold & sure else "false" if act in sure else "missed"] += 1
        told.extend((s.confidence, _plain(s.act) in gold) for s in result.acts if s.act.type != "ack")
    total: Counter[str] = sum(counts.values(), Counter())
    return {
        "sentences": len(pairs),
        "act_f1": _f1(total),
        "precision": round(total["hit"] / max(1, total["hit"] + total["false"]), 4),
        "recall": round(total["hit"] / max(1, total["hit"] + total["missed"]), 4),
        "all_acts_right": round(exact / max(1, len(pairs)), 4),
        "calibration_error": round(expected_calibration_error([p for p, _ in told], [r for _, r in told]), 4),
        "per_type_f1": {name: _f1(count) for name, count in sorted(counts.items())},
        "p50_ms": round(float(np.percentile(timings, 50)), 3) if timings else 0.0,
        "p95_ms": round(float(np.percentile(timings, 95)), 3) if timings else 0.0,
        "error_model": {key: value for key, value in model.items() if key != "confusions"},
    }


def gold_acts(sentence: HeldOut) -> set[DialogueAct]:
    """The acts that a held-out sentence is annotated with; "ok" carries nothing and is left out."""
    return {_plain(act) for act in sentence.acts if act.type != "ack"}


def sure_acts(result: NLUResult) -> set[DialogueAct]:
    """The acts told with a probability of at least one half."""
    return {_plain(s.act) for s in result.acts if s.confidence >= _SURE and s.act.type != "ack"}


def _plain(act: DialogueAct) -> DialogueAct:
    """Case and "the" do not matter for names."""
    value = act.value.lower().removeprefix("the ") if act.value is not None else None
    return DialogueAct(act.type, act.slot, value)


def error_model(pairs: Sequence[tuple[HeldOut, NLUResult]]) -> dict[str, Any]:
    """Deletion, substitution and insertion rates per act, per slot, confidences of right and wrong hypotheses.

    An act of the user is deleted when nothing of its type and slot is told with probability 0.5, substituted when
    another value of its slot is told instead; what is told beyond the user's acts is an insertion. Rates are per
    user act; ``semantic_error_rate`` is their sum.
    """
    outcome: Counter[str] = Counter()
    per_slot: dict[str, Counter[str]] = defaultdict(Counter)
    confusions: Counter[tuple[str, str, str]] = Counter()
    right: list[float] = []
    wrong: list[float] = []
    lengths: list[int] = []
    for sentence, result in pairs:
        gold, sure = gold_acts(sentence), sure_acts(result)
        extra = set(sure - gold)
        for act in gold:
            kind, other = _outcome(act, sure, extra)
            outcome[kind] += 1
            if act.slot is not None and act.value is not None:
                per_slot[act.slot][kind] += 1
            if other is not None:
                extra.discard(other)
                confusions[str(act.slot), str(act.value), str(other.value)] += 1
        outcome["insertion"] += len(extra)
        for scored in result.acts:
            (right if _plain(scored.act) in gold else wrong).append(scored.confidence)
        lengths.append(_alternatives(result.acts))
    total = max(1, outcome["right"] + outcome["deletion"] + outcome["substitution"])
    rates = {kind: round(outcome[kind] / total, 4) for kind in ("deletion", "substitution", "insertion")}
    return {
        "rates": {**rates, "per_slot": {slot: _slot_rates(count) for slot, count in sorted(per_slot.items())}},
        "confidence_correct": _profile(right),
        "confidence_wrong": _profile(wrong),
        "semantic_error_rate": round(sum(rates.values()), 4),
        "n_best_length": round(float(np.mean(lengths)), 3) if lengths else 1.0,
        "confusions": [[*key, count] for key, count in confusions.most_common(50)],
        "turns": len(pairs),
    }


def _outcome(act: DialogueAct, sure: set[DialogueAct], extra: set[DialogueAct]) -> tuple[str, DialogueAct | None]:
    if act in sure:
        return "right", None
    if act.value is not None:
        others = sorted((e for e in extra if e.slot == act.slot and e.value is not None), key=str)
        if others:
            return "substitution", others[0]
    return "deletion", None


def _slot_rates(count: Counter[str]) -> float:
    wrong = count["deletion"] + count["substitution"]
    return round(wrong / max(1, wrong + count["right"]), 4)


def _profile(confidences: Sequence[float]) -> dict[str, Any]:
    values = np.asarray(confidences, dtype=np.float64)
    histogram, _ = np.histogram(values, bins=_BINS, range=(0.0, 1.0))
    mean, deviation = (float(values.mean()), float(values.std())) if len(values) else (0.0, 0.0)
    return {
        "mean": round(mean, 4),
        "sd": round(deviation, 4),
        "histogram": (histogram / max(1, len(values))).round(4).tolist(),
    }


def _alternatives(acts: Sequence[ScoredAct]) -> int:
    """The largest number of values told for one slot."""
    slots = Counter(s.act.slot for s in acts if s.act.type == "inform" and s.act.value != DONTCARE)
    return max(slots.values(), default=1)


def _f1(count: Counter[str]) -> float:
    return round(2 * count["hit"] / max(1, 2 * count["hit"] + count["false"] + count["missed"]), 4)
