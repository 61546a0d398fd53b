"""Results published for the benchmark, to compare with: success in % and mean reward, 4,000 training dialogues.

Casanueva et al. 2017 and 2018 (handcrafted, GP-SARSA, DQN, Feudal-DQN; None where no reward is given).
"""

from __future__ import annotations

Result = tuple[float, float | None]

HANDCRAFTED: dict[tuple[str, int], Result] = {
    ("CR", 1): (100.0, 14.0), ("CR", 2): (100.0, 14.0), ("CR", 3): (96.7, 11.0), ("CR", 4): (96.7, 11.0),
    ("CR", 5): (95.9, 9.3), ("CR", 6): (89.6, None),
    ("SFR", 1): (98.2, 12.4), ("SFR", 2): (98.2, 12.4), ("SFR", 3): (90.9, 9.0), ("SFR", 4): (90.9, 9.0),
    ("SFR", 5): (87.7, 6.4), ("SFR", 6): (79.0, 6.0),
}  # fmt: skip
BEST_LEARNED: dict[tuple[str, int], Result] = {
    ("CR", 1): (99.4, 13.5), ("CR", 2): (97.8, 13.1), ("CR", 3): (95.1, 12.1), ("CR", 4): (93.1, 11.46),
    ("CR", 5): (96.3, 11.5), ("CR", 6): (90.6, 10.4),
    ("SFR", 1): (96.1, 11.4), ("SFR", 2): (95.4, 12.4), ("SFR", 3): (90.0, 9.7), ("SFR", 4): (90.3, 10.2),
    ("SFR", 5): (88.9, 7.9), ("SFR", 6): (83.0, 7.1),
}  # fmt: skip
"""Per cell the highest success and the highest reward of any learned policy, not always the same one's."""
