"""The handcrafted policy does here what it does in PyDial, cell by cell of the published table."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.pydial.dialogues import BenchmarkDialogues
from simulator.pydial.settings import environment
from tests.simulator.pydial.worlds import published

DIALOGUES = 3000
PUBLISHED = {
    ("CR", 1): [(100.0, 14.0, 500), (100.0, 14.07, 500), (100.0, 13.94, 500)],
    ("CR", 3): [(96.7, 11.0, 500), (98.8, 11.73, 2000), (97.6, 11.2, 500)],
    ("CR", 5): [(95.9, 9.3, 500), (97.0, 9.8, 500)],
    ("CR", 6): [(89.6, None, 500), (89.0, 9.0, 500)],
    ("SFR", 1): [(98.2, 12.4, 500), (98.0, 12.5, 200)],
    ("SFR", 3): [(90.9, 9.0, 500), (90.0, 8.4, 200)],
    ("SFR", 5): [(87.7, 6.4, 500)],
    ("SFR", 6): [(79.0, 6.0, 500), (84.5, 7.1, 200)],
}
"""Success in %, reward, and dialogues behind them: the papers' table, published logs, and runs of PyDial itself."""


@pytest.mark.parametrize(("name", "env"), sorted(PUBLISHED))
def test_success_and_reward_agree_with_the_published_ones(name: str, env: int) -> None:
    """Within two standard errors + 1 point (of success; .2 of reward, since 1 % of success is worth .2)."""
    dialogues = BenchmarkDialogues(published(name), environment(env), [7_000_000 + i for i in range(DIALOGUES)])
    total = np.zeros(DIALOGUES)
    while not dialogues.state.over.all():
        total += dialogues.step(dialogues.handcrafted())
    success, reward = 100 * dialogues.state.success.mean(), total.mean()
    fits = []
    for wanted, wanted_reward, count in PUBLISHED[name, env]:
        error = 100 * np.sqrt(wanted / 100 * (1 - wanted / 100) * (1 / count + 1 / DIALOGUES))
        spread = total.std() * np.sqrt(1 / count + 1 / DIALOGUES)
        near = abs(success - wanted) <= 2 * error + 1
        fits.append(near and (wanted_reward is None or abs(reward - wanted_reward) <= 2 * spread + 0.2))
    assert any(fits), f"{success:.1f} % / {reward:.2f}"
    assert fits[0], f"not the paper's: {success:.1f} % / {reward:.2f}"


@pytest.mark.parametrize(("name", "size", "actions"), [("CR", 268, 16), ("SFR", 636, 25)])
def test_sizes_are_the_published_ones(name: str, size: int, actions: int) -> None:
    dialogues = BenchmarkDialogues(published(name), environment(1), [0])
    assert dialogues.size("belief") == size
    assert len(dialogues.names) == actions
