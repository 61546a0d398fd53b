"""A learned story policy on disk (ONNX + JSON manifest) and the class that serves it, which never needs torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from policies.export import ModelError, onnx_bytes
from policies.files import write_atomically
from policies.onnx_session import open_session
from policies.stories.featurizer import StoryFeaturizer, StoryVocabulary
from policies.stories.state import History, StoryPrediction

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1
"""Version of the manifest's layout; readers refuse any other."""
MODEL_FILE = "stories.onnx"
MANIFEST_FILE = "manifest.json"
LEARNED = "learned"
"""The policy's name in events."""
_AGAIN = "train the project again"


@dataclass(frozen=True, slots=True)
class StoryManifest:
    """What a reader must know: the vocabulary of the features, the actions of the outputs, the model's hash."""

    actions: tuple[str, ...]
    vocabulary: Mapping[str, Sequence[str]]
    max_history: int
    inputs: int
    sha256: str
    project: str
    format: int = FORMAT
    training: Mapping[str, Any] | None = None


def save_story_policy(
    network: nn.Module,
    featurizer: StoryFeaturizer,
    actions: Sequence[str],
    folder: Path,
    *,
    project: str = "",
    training: Mapping[str, Any] | None = None,
) -> StoryManifest:
    """Write ``network`` (features (B, inputs) -> logits (B, actions)) as ONNX, then its manifest.

    ``project`` is the fingerprint of what it was trained on. A folder without a fitting manifest is refused.
    """
    data = onnx_bytes(network, featurizer.size)
    manifest = StoryManifest(
        actions=tuple(actions),
        vocabulary=featurizer.vocabulary.to_json(),
        max_history=featurizer.max_history,
        inputs=featurizer.size,
        sha256=hashlib.sha256(data).hexdigest(),
        project=project,
        training=training,
    )
    write_atomically(folder / MODEL_FILE, data)
    write_atomically(folder / MANIFEST_FILE, json.dumps(asdict(manifest), indent=1).encode())
    return manifest


class ServedStoryPolicy:
    """Calibrated probabilities of an exported network; ONNX Runtime, one thread. A ``StoryPolicy``."""

    name = LEARNED

    def __init__(self, session: Any, manifest: StoryManifest, featurizer: StoryFeaturizer) -> None:
        self._session, self._featurizer = session, featurizer
        self.manifest = manifest
        self.version = manifest.sha256[:12]

    @classmethod
    def load(cls, folder: str | Path) -> ServedStoryPolicy:
        """Load and verify; ModelError naming file and remedy for one that is missing, changed or doesn't fit."""
        folder = Path(folder)
        path = folder / MANIFEST_FILE
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            manifest = StoryManifest(**{**fields, "actions": tuple(fields["actions"])})
            featurizer = StoryFeaturizer(StoryVocabulary.from_json(manifest.vocabulary), manifest.max_history)
        except FileNotFoundError:
            raise ModelError(f"{path}: no such file: train the project first") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"{path}: not a manifest of a story policy ({error}): {_AGAIN}") from None
        if manifest.format != FORMAT:
            raise ModelError(f"{path}: format {manifest.format}, this version reads {FORMAT}: {_AGAIN}")
        if featurizer.size != manifest.inputs or not manifest.actions:
            raise ModelError(f"{path}: {manifest.inputs} inputs, its vocabulary makes {featurizer.size}: {_AGAIN}")
        policy = cls(open_session(folder / MODEL_FILE, manifest.sha256, ModelError, _AGAIN), manifest, featurizer)
        policy._check(folder / MODEL_FILE)
        return policy

    def predict(self, history: History) -> StoryPrediction:
        """A probability for every action that the stories know."""
        features = self._featurizer(history).reshape(1, -1)
        (logits,) = self._session.run(None, {"features": features})
        weights = np.exp(logits[0] - logits[0].max())
        probabilities = (weights / weights.sum()).tolist()
        return StoryPrediction(dict(zip(self.manifest.actions, probabilities, strict=True)), self.name)

    def _check(self, path: Path) -> None:
        try:
            (logits,) = self._session.run(None, {"features": np.zeros((1, self.manifest.inputs), np.float32)})
        except Exception as error:
            raise ModelError(f"{path}: does not run ({error}): {_AGAIN}") from None
        if logits.shape != (1, len(self.manifest.actions)) or not np.isfinite(logits).all():
            raise ModelError(f"{path}: gives {logits.shape}, not {len(self.manifest.actions)} numbers: {_AGAIN}")
