"""Small exported policies, made once."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import onnx
import pytest
import torch

from policies.actions import ActionSpace
from policies.export import export_onnx
from policies.featurizer import BeliefFeaturizer
from policies.networks import DuelingNetwork
from simulator.small import small_ontology


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three policy folders of the small ontology: one network that learned nothing, and two variants of its file."""
    ontology = small_ontology()
    featurizer, space = BeliefFeaturizer(ontology), ActionSpace(ontology)
    torch.manual_seed(0)
    first = tmp_path_factory.mktemp("policy")
    export_onnx(DuelingNetwork(featurizer.size, space.size, (16,)), first, space, featurizer)
    return [first, *(_variant(first, tmp_path_factory.mktemp(f"variant{n}"), str(n)) for n in (1, 2))]


def _variant(policy: Path, folder: Path, note: str) -> Path:
    """The same network in another file: an export of its own would take seconds."""
    shutil.copytree(policy, folder, dirs_exist_ok=True)
    model = onnx.load(policy / "policy.onnx")
    model.doc_string = note
    onnx.save(model, folder / "policy.onnx")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"] = hashlib.sha256((folder / "policy.onnx").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
