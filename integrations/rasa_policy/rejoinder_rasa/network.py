"""An exported story policy: ONNX file, manifest and what its inputs mean (numpy and onnxruntime only, no Rasa)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

FORMAT = 1
MODEL_FILE, MANIFEST_FILE = "stories.onnx", "manifest.json"
KINDS = ("intents", "entities", "actions", "slots", "loops", "requested")
_AGAIN = "train the project with Rejoinder again"

State = Mapping[str, Any]
"""One state as Rasa featurises it: user {intent, entities}, prev_action {action_name}, slots, active_loop {name}.
``slots`` hold texts: "set", a category, "true" or "false", a number."""


class ExportError(ValueError):
    """The exported policy is missing, damaged or of another format; the message names file and remedy."""


class StoryNetwork:
    """A policy that `rejoinder train` wrote (its folder ``policy``).

    Args:
        folder: holds stories.onnx and manifest.json.

    Raises:
        ExportError: it can't be used.
    """

    def __init__(self, folder: Path) -> None:
        manifest = _manifest(folder / MANIFEST_FILE)
        self.actions: tuple[str, ...] = tuple(manifest["actions"])
        self.max_history = int(manifest["max_history"])
        self.project = str(manifest.get("project", ""))
        self._places: dict[str, dict[str, int]] = {}
        width = 2
        for kind in KINDS:
            names = manifest["vocabulary"][kind]
            self._places[kind] = {name: width + n for n, name in enumerate(names)}
            width += len(names)
            if kind in ("intents", "actions"):  # one more for names that are unknown
                self._places[kind][""] = width
                width += 1
        self.width = width
        if manifest["inputs"] != self.max_history * width or not self.actions:
            raise ExportError(f"{folder / MANIFEST_FILE}: its vocabulary does not fit its inputs: {_AGAIN}")
        self._session = _session(folder / MODEL_FILE, manifest["sha256"])
        if self(()).shape != (len(self.actions),):
            raise ExportError(f"{folder / MODEL_FILE}: does not give {len(self.actions)} numbers: {_AGAIN}")

    def __call__(self, history: Sequence[State]) -> np.ndarray:
        """(actions,) the probability of each action after the states of ``history``, the present one last."""
        # the empty state before the first action is not shown, as in training
        begins = len(history) > 1 and not history[0].get("prev_action") and not history[0].get("user")
        seen = history[1 if begins else 0 :][-self.max_history :]
        features = np.zeros((self.max_history, self.width), dtype=np.float32)
        for place, state in enumerate(seen, start=self.max_history - len(seen)):
            self._fill(features[place], state)
        (logits,) = self._session.run(None, {"features": features.reshape(1, -1)})
        weights = np.exp(logits[0] - logits[0].max())
        return weights / weights.sum()

    def _fill(self, row: np.ndarray, state: State) -> None:
        """One row: there is a state, the user spoke, then the vocabulary's kinds."""
        places = self._places
        row[0] = 1.0
        user = state.get("user") or {}
        intent, action = user.get("intent"), (state.get("prev_action") or {}).get("action_name")
        slots, loop = state.get("slots") or {}, (state.get("active_loop") or {}).get("name")
        if intent is not None or user.get("text") is not None:
            row[1] = 1.0
            row[places["intents"].get(intent or "", places["intents"][""])] = 1.0
        if action is not None:
            row[places["actions"].get(action, places["actions"][""])] = 1.0
        named = {
            "entities": user.get("entities") or (),
            "slots": ["{}={}".format(*slot) for slot in slots.items()],
            "loops": (loop,),
            "requested": (slots.get("requested_slot"),),
        }
        for kind, names in named.items():
            for name in names:
                place: int | None = places[kind].get(name)
                if place is not None:
                    row[place] = 1.0


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = manifest["format"]
        missing = {"actions", "vocabulary", "max_history", "inputs", "sha256"} - set(manifest)
        missing |= set(KINDS) - set(manifest.get("vocabulary", ()))
    except FileNotFoundError:
        raise ExportError(f"{path}: no such file: give the folder `policy` of a trained Rejoinder model") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ExportError(f"{path}: not a manifest of a story policy ({error!r}): {_AGAIN}") from None
    if found != FORMAT:
        raise ExportError(f"{path}: format {found}, this package reads {FORMAT}: update rejoinder-rasa-policy")
    if missing:
        raise ExportError(f"{path}: {', '.join(sorted(missing))} missing: {_AGAIN}")
    return manifest


def _session(path: Path, sha256: str) -> Any:
    import onnxruntime

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ExportError(f"{path}: no such file: {_AGAIN}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ExportError(f"{path}: sha256 differs from the manifest: the file is damaged, {_AGAIN}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as reason:
        raise ExportError(f"{path}: not an ONNX model that this onnxruntime reads ({reason}): {_AGAIN}") from None
