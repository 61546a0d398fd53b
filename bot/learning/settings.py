"""The tuned thresholds on disk, and which of them fits how well this assistant's NLU hears."""

from __future__ import annotations

import json
from pathlib import Path

from memory.ontology import Ontology
from policies.export import ModelError

TUNED_FILE = "thresholds.json"
"""Beside the assistant's models: what ``rejoinder tune thresholds`` writes and ``policy.thresholds: tuned`` reads."""


def tuned_setting(models: Path, ontology: Ontology) -> dict[str, float]:
    """The setting tuned for the error rate nearest to the NLU's measured one.

    ModelError, naming the file and the remedy, when nothing was tuned, for another assistant, or not measured.
    """
    path, measured = models / TUNED_FILE, models / "nlu" / "error_model.json"
    try:
        rate = float(json.loads(measured.read_text(encoding="utf-8"))["semantic_error_rate"])
        report = json.loads(path.read_text(encoding="utf-8"))
        fingerprint = report["ontology"]
        nearest = min(report["rows"], key=lambda row: abs(float(row["error_rate"]) - rate))
        setting = {str(name): float(value) for name, value in nearest["setting"].items()}
    except FileNotFoundError as error:
        remedy = "run `rejoinder tune thresholds`" if error.filename == str(path) else "run `rejoinder train nlu`"
        raise ModelError(f"{error.filename}: no such file: {remedy}, or set policy.thresholds to default") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: not tuned thresholds ({error}): run `rejoinder tune thresholds` again") from None
    if fingerprint != ontology.fingerprint:
        raise ModelError(f"{path}: tuned for another assistant: run `rejoinder tune thresholds` again")
    return setting
