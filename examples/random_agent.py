"""A random agent in the gymnasium environment, single and vectorised:  python examples/random_agent.py"""

from __future__ import annotations

import time

import gymnasium
import numpy as np

from policies.policy import random_actions
from simulator.registration import register_environments


def main() -> None:
    register_environments()  # an installed rejoinder is found by gymnasium without this line
    env = gymnasium.make("rejoinder/Dialogue-v0")
    _, info = env.reset(seed=0)
    total, done = 0.0, False
    while not done:
        action = int(np.flatnonzero(info["action_mask"])[0])
        _, reward, terminated, truncated, info = env.step(action)
        total, done = total + float(reward), terminated or truncated
    print(f"one dialogue: return {total}")

    envs = gymnasium.make_vec("rejoinder/Dialogue-v0", num_envs=256)
    rng = np.random.default_rng(0)
    envs.reset(seed=0)
    started, steps = time.perf_counter(), 200
    for _ in range(steps):
        envs.step(random_actions(envs.unwrapped.action_masks(), rng))
    print(f"{steps * 256 / (time.perf_counter() - started):,.0f} user turns/s in 256 dialogues at once")


if __name__ == "__main__":
    main()
