"""A learned user, trained once on recordings of simulated people."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.users.learning import LearningConfig, learn_user
from simulator.users.network import UserNetwork
from tests.simulator.users.recordings import record

SMALL = LearningConfig(hidden=24, width=12, epochs=10, rate=8e-3)


@pytest.fixture(scope="session")
def network() -> UserNetwork:
    """A small network that has seen 200 dialogues."""
    return learn_user(record(200), SMALL)


@pytest.fixture(scope="session")
def learned(network: UserNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    folder = tmp_path_factory.mktemp("learned")
    network.save(folder)
    return folder
