"""Stable-Baselines3's DQN in an environment of the PyDial benchmark, on a domain of our own with 60 hats.

    pip install stable-baselines3
    python examples/stable_baselines3_dqn.py [training steps]

Its DQN knows no action masks: a masked action is replaced by the first allowed one, which costs it many dialogues.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
from stable_baselines3 import DQN
from stable_baselines3.common.env_checker import check_env

from simulator.env import DialogueEnv
from simulator.pydial.env import BenchmarkEnv

COLOURS, SIZES, MAKERS = ["red", "green", "blue", "grey"], ["small", "large"], ["ada", "bea", "cleo", "dora", "edda"]


def hats(folder: Path) -> tuple[Path, Path]:
    """An ontology and a table in the benchmark's format."""
    rules = {
        "type": "hat",
        "requestable": ["name", "colour", "size", "maker", "price"],
        "system_requestable": ["maker", "colour", "size"],
        "informable": {"colour": COLOURS, "size": SIZES, "maker": MAKERS, "name": [f"hat {n}" for n in range(60)]},
    }
    draw = random.Random(5)
    rows = [
        {
            "name": f"hat {n}", "colour": draw.choice(COLOURS), "size": draw.choice(SIZES),
            "maker": draw.choice(MAKERS), "price": f"{n + 1} crowns",
        }
        for n in range(60)
    ]  # fmt: skip
    files = folder / "Hats-rules.json", folder / "Hats-dbase.json"
    files[0].write_text(json.dumps(rules))
    files[1].write_text(json.dumps({"Hats": rows}))
    return files


def success(env: BenchmarkEnv, model: DQN | None, dialogues: int = 200) -> float:
    """Share of dialogues that reach their goal; without a model at random."""
    rng, fulfilled = np.random.default_rng(0), 0
    for seed in range(dialogues):
        observation, info = env.reset(seed=seed)
        ended = False
        while not ended:
            if model is None:
                action = rng.choice(np.flatnonzero(info["action_mask"]))
            else:
                action = model.predict(observation, deterministic=True)[0]
            observation, _, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
        fulfilled += info["success"]
    return fulfilled / dialogues


def main(steps: int = 20_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        env = DialogueEnv.from_pydial(*hats(Path(folder)), env=1, view="slots")
    check_env(env)
    model = DQN("MlpPolicy", env, learning_starts=500, exploration_fraction=0.5, target_update_interval=500, seed=1)
    model.learn(steps)
    print(f"goals reached by random allowed actions: {success(env, None):.0%}")
    print(f"goals reached by its DQN after {steps} turns: {success(env, model):.0%}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
