"""What is exported computes what was learned, and anything else is refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from memory.belief import BeliefState
from policies.actions import ActionSpace
from policies.dqn import network_values
from policies.export import ModelError, OnnxPolicy, export_onnx
from policies.featurizer import BeliefFeaturizer
from policies.networks import DuelingNetwork
from policies.policy import Policy
from simulator.small import small_ontology

ONTOLOGY = small_ontology()
SPACE, FEATURIZER = ActionSpace(ONTOLOGY), BeliefFeaturizer(ONTOLOGY)


@pytest.fixture(scope="module")
def network() -> DuelingNetwork:
    torch.manual_seed(0)
    return DuelingNetwork(FEATURIZER.size, SPACE.size, (32, 16))


@pytest.fixture(scope="module")
def exported(network: DuelingNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("exported")
    export_onnx(network, directory, SPACE, FEATURIZER, training={"seed": 0})
    return directory


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_onnx_computes_what_torch_computes(exported: Path, network: DuelingNetwork) -> None:
    policy = OnnxPolicy.load(exported, ONTOLOGY)
    for batch in (1, 7, 300):
        features = np.random.default_rng(batch).random((batch, FEATURIZER.size)).astype(np.float32)
        np.testing.assert_allclose(policy.values(features), network_values(network, features), atol=1e-5)


def test_it_is_a_policy_that_obeys_the_masks(exported: Path) -> None:
    policy = OnnxPolicy.load(exported, ONTOLOGY)
    assert isinstance(policy, Policy)
    assert policy.name == "dqn"
    assert len(policy.version) == 12
    belief = BeliefState.initial(ONTOLOGY, 3)
    masks = SPACE.masks(belief)
    output = policy.act(belief, masks, np.random.default_rng(0))
    assert masks[np.arange(3), output.actions].all()
    assert np.array_equal(np.isnan(output.values), ~masks)
    assert output.propensity.tolist() == [1.0, 1.0, 1.0]


def _edit(path: Path, **changes: object) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def _truncate(path: Path) -> None:
    (path / "policy.onnx").write_bytes((path / "policy.onnx").read_bytes()[:-10])


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda p: (p / "manifest.json").unlink(), r"manifest.json: no such file"),
    "no model": (lambda p: (p / "policy.onnx").unlink(), r"policy.onnx: no such file"),
    "truncated": (_truncate, r"policy.onnx: sha256 differs"),
    "not json": (lambda p: (p / "manifest.json").write_text("{"), r"manifest.json: not a policy manifest"),
    "json list": (lambda p: (p / "manifest.json").write_text("[1]"), r"manifest.json: not a policy manifest"),
    "unknown key": (lambda p: _edit(p, colour="red"), r"manifest.json: not a policy manifest"),
    "other format": (lambda p: _edit(p, format=99), r"manifest.json: format 99"),
    "other ontology": (lambda p: _edit(p, ontology="0" * 16), r"made for ontology 0000"),
    "other actions": (lambda p: _edit(p, actions=["bye"]), r"action names differ"),
    "other inputs": (lambda p: _edit(p, inputs=3), r"3 inputs"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_by_name(copy: Path, damage: str) -> None:
    act, message = DAMAGES[damage]
    act(copy)
    with pytest.raises(ModelError, match=message) as caught:
        OnnxPolicy.load(copy, ONTOLOGY)
    assert "train the policy" in str(caught.value)


def test_not_an_onnx_file_is_refused_even_with_a_fitting_hash(copy: Path) -> None:
    import hashlib

    (copy / "policy.onnx").write_bytes(b"hello")
    _edit(copy, sha256=hashlib.sha256(b"hello").hexdigest())
    with pytest.raises(ModelError, match="not an ONNX model"):
        OnnxPolicy.load(copy, ONTOLOGY)


def test_wrong_shapes_and_numbers_are_refused(tmp_path: Path) -> None:
    narrow = DuelingNetwork(FEATURIZER.size, 3, (8,))
    export_onnx(narrow, tmp_path / "narrow", SPACE, FEATURIZER)
    with pytest.raises(ModelError, match=r"output shape \(2, 3\)"):
        OnnxPolicy.load(tmp_path / "narrow", ONTOLOGY)
    broken = DuelingNetwork(FEATURIZER.size, SPACE.size, (8,))
    broken.advantage.bias.data.fill_(float("nan"))
    export_onnx(broken, tmp_path / "broken", SPACE, FEATURIZER)
    with pytest.raises(ModelError, match="not finite"):
        OnnxPolicy.load(tmp_path / "broken", ONTOLOGY)


def test_another_assistant_is_refused(exported: Path) -> None:
    with pytest.raises(ModelError, match="its slots or values changed"):
        OnnxPolicy.load(exported, replace(ONTOLOGY, requestable=("phone",)))


def test_serving_and_simulating_never_import_torch(exported: Path) -> None:
    program = (
        "import sys\n"
        "import policies.actions, policies.policy, policies.rule, policies.featurizer, policies.export\n"
        "import simulator.vector_env, simulator.env, simulator.registration, simulator.evaluate, simulator.probes\n"
        "import simulator.training\n"
        "from policies.export import OnnxPolicy\n"
        "from simulator.small import small_ontology\n"
        f"OnnxPolicy.load({str(exported)!r}, small_ontology())\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
