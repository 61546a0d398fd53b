"""A learned policy on disk (ONNX + JSON manifest) and the class that serves it, which never needs torch."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.belief import BeliefState
from memory.ontology import BoolArray, Ontology
from memory.turn import FloatArray
from policies.actions import ActionSpace
from policies.featurizer import Featurizer, build_featurizer
from policies.files import write_atomically
from policies.onnx_session import open_session
from policies.policy import PolicyOutput, greedy_output

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1
"""Version of the manifest's layout; readers refuse any other."""
MODEL_FILE = "policy.onnx"
MANIFEST_FILE = "manifest.json"


class ModelError(ValueError):
    """A model file is missing, damaged or made for another assistant; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class PolicyManifest:
    """What a reader must know and check before it trusts ``policy.onnx``."""

    name: str
    featurizer: str
    max_turns: int
    inputs: int
    actions: tuple[str, ...]
    ontology: str
    sha256: str
    format: int = FORMAT
    training: Mapping[str, Any] | None = None


def export_onnx(
    network: nn.Module,
    directory: Path,
    space: ActionSpace,
    featurizer: Featurizer,
    *,
    name: str = "dqn",
    max_turns: int = 25,
    training: Mapping[str, Any] | None = None,
) -> PolicyManifest:
    """Write ``network`` (features (B, n_in) -> values (B, A)) to ``directory`` as ONNX with its manifest.

    The manifest is written last: a folder without a fitting manifest is refused by ``OnnxPolicy.load``.
    """
    data = onnx_bytes(network, featurizer.size)
    manifest = PolicyManifest(
        name=name,
        featurizer=featurizer.kind,
        max_turns=max_turns,
        inputs=featurizer.size,
        actions=space.names,
        ontology=space.ontology.fingerprint,
        sha256=hashlib.sha256(data).hexdigest(),
        training=training,
    )
    write_atomically(directory / MODEL_FILE, data)
    write_atomically(directory / MANIFEST_FILE, json.dumps(asdict(manifest), indent=1).encode())
    return manifest


def onnx_bytes(network: nn.Module, inputs: int) -> bytes:
    """``network`` as an ONNX file: `features` (B, ``inputs``) -> `values` (B, ...), any B."""
    import torch

    example, batch = torch.zeros(2, inputs), torch.export.Dim("batch", min=1)
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)  # it warns about operators of packages that are not installed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # raised inside torch.export about its own internals
            program = torch.onnx.export(
                network.eval(),
                (example,),
                input_names=["features"],
                output_names=["values"],
                dynamic_shapes=({0: batch},),
                dynamo=True,
                verbose=False,
            )
    finally:
        exporter_log.setLevel(level)
    assert program is not None
    data: bytes = program.model_proto.SerializeToString(deterministic=True)
    return data


def read_manifest(directory: Path) -> PolicyManifest:
    """Read and check the form of ``directory/manifest.json``; ModelError otherwise."""
    path = directory / MANIFEST_FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        manifest = PolicyManifest(**{**fields, "actions": tuple(fields["actions"])})
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file: train the policy first") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: not a policy manifest ({error}): train the policy again") from None
    if manifest.format != FORMAT:
        raise ModelError(f"{path}: format {manifest.format}, this version reads {FORMAT}: train the policy again")
    return manifest


class OnnxPolicy:
    """Greedy policy over the action values of an exported network; ONNX Runtime, one thread."""

    def __init__(self, session: Any, manifest: PolicyManifest, featurizer: Featurizer) -> None:
        self._session = session
        self._featurizer = featurizer
        self.manifest = manifest
        self.name = manifest.name
        self.version = manifest.sha256[:12]

    @classmethod
    def load(cls, directory: str | Path, ontology: Ontology) -> OnnxPolicy:
        """Load and verify the policy of ``directory`` for ``ontology``.

        Raises ModelError, naming the file and what to do, for a missing or changed file, another ontology, other
        actions, wrong shapes or non-finite outputs.
        """
        directory = Path(directory)
        manifest = read_manifest(directory)
        path = directory / MODEL_FILE
        _check_meaning(directory / MANIFEST_FILE, manifest, ontology)
        featurizer = build_featurizer(manifest.featurizer, ontology, manifest.max_turns)
        if featurizer.size != manifest.inputs:
            raise ModelError(
                f"{directory / MANIFEST_FILE}: {manifest.inputs} inputs, this version makes {featurizer.size}: "
                "train the policy again"
            )
        policy = cls(open_session(path, manifest.sha256, ModelError, "train the policy again"), manifest, featurizer)
        policy._check_outputs(path)
        return policy

    def values(self, features: FloatArray) -> FloatArray:
        """(B, A) action values of features (B, n_in)."""
        result: FloatArray = self._session.run(["values"], {"features": features})[0]
        return result

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        """See ``Policy.act``; greedy, so propensity is 1."""
        return greedy_output(self.values(self._featurizer(belief)), masks)

    def _check_outputs(self, path: Path) -> None:
        probe = np.stack([np.zeros(self.manifest.inputs), np.ones(self.manifest.inputs)]).astype(np.float32)
        try:
            values = self.values(probe)
        except Exception as error:
            raise ModelError(f"{path}: cannot be run ({error}): train the policy again") from None
        wanted = (2, len(self.manifest.actions))
        if values.shape != wanted:
            raise ModelError(f"{path}: output shape {values.shape}, expected {wanted}: train the policy again")
        if not np.isfinite(values).all():
            raise ModelError(f"{path}: the network's output is not finite: train the policy again")


def _check_meaning(path: Path, manifest: PolicyManifest, ontology: Ontology) -> None:
    if manifest.ontology != ontology.fingerprint:
        raise ModelError(
            f"{path}: made for ontology {manifest.ontology}, this assistant's is {ontology.fingerprint}: "
            "its slots or values changed, train the policy again"
        )
    if manifest.actions != ActionSpace(ontology).names:
        raise ModelError(f"{path}: the action names differ from this version's: train the policy again")
