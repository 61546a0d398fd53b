"""What a network with every extension learned is served without noise, heads or quantiles: their mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from policies.actions import ActionSpace
from policies.dqn import DQN, DQNConfig, network_values
from policies.export import OnnxPolicy, export_onnx
from policies.featurizer import BeliefFeaturizer
from simulator.small import small_ontology


def test_the_exported_policy_is_the_mean_without_noise(tmp_path: Path) -> None:
    ontology = small_ontology()
    space, featurizer = ActionSpace(ontology), BeliefFeaturizer(ontology)
    config = DQNConfig(hidden=(8,), noisy=True, exploration="noisy", heads=3, quantiles=4)
    learner = DQN(featurizer.size, space.size, config)
    features = np.random.default_rng(0).random((5, featurizer.size)).astype(np.float32)
    noisy = [learner.values(features) for _ in range(2)]
    assert not np.array_equal(*noisy)
    export_onnx(learner.network, tmp_path, space, featurizer)
    served = OnnxPolicy.load(tmp_path, ontology).values(features)
    learner.network.eval()
    assert np.allclose(served, network_values(learner.network, features), atol=1e-5)
    with torch.no_grad():
        heads = learner.network.heads(torch.from_numpy(features)).numpy()
    assert np.allclose(served, heads.mean(axis=(1, 3)), atol=1e-5)
