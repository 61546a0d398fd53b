from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from simulator.registration import register_environments
from simulator.tcbot.env import MovieEnv, MovieVectorEnv
from simulator.tcbot.settings import MovieSettings
from tests.simulator.tcbot.worlds import write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("movies"))


def test_gymnasiums_checker_is_content(folder: Path) -> None:
    register_environments()
    check_env(gymnasium.make("rejoinder/TCBot-v0", world=folder, render_mode="ansi").unwrapped)


def test_make_vec(folder: Path) -> None:
    register_environments()
    env = gymnasium.make_vec("rejoinder/TCBot-v0", num_envs=5, world=folder)
    observations, info = env.reset(seed=1)
    assert observations.shape == env.observation_space.shape
    assert info["action_mask"].shape == (5, 43)


def test_single_and_vector_environment_give_the_same_dialogue(folder: Path) -> None:
    settings = MovieSettings(slot_error=0.1, intent_error=0.1)
    single, vector = MovieEnv(world=folder, settings=settings), MovieVectorEnv(3, world=folder, settings=settings)
    one, _ = single.reset(seed=42)
    many, _ = vector.reset(seed=[40, 42, 44])
    rng = np.random.default_rng(3)
    ends = 0
    for _ in range(150):
        assert np.array_equal(one, many[1])
        actions = rng.integers(43, size=3)
        one, reward, terminated, truncated, info = single.step(actions[1])
        many, rewards, ended, cut, infos = vector.step(actions)
        assert (reward, terminated, truncated) == (rewards[1], ended[1], cut[1])
        if terminated:
            ends += 1
            assert np.array_equal(one, infos["final_obs"][1])
            assert info["success"] == infos["final_info"]["success"][1]
            assert info["turns"] == infos["final_info"]["turns"][1]
            one, _ = single.reset()
    assert ends > 2


def test_bad_actions_are_refused(folder: Path) -> None:
    single, vector = MovieEnv(world=folder), MovieVectorEnv(2, world=folder)
    single.reset(seed=0)
    vector.reset(seed=0)
    with pytest.raises(ValueError, match="from 0 to 42"):
        single.step(np.int64(43))
    with pytest.raises(ValueError, match="2 integers from 0 to 42"):
        vector.step(np.array([0, 99]))


def test_a_restored_environment_goes_on_to_the_same_bits(folder: Path) -> None:
    env, other = (MovieVectorEnv(4, world=folder) for _ in range(2))
    env.reset(seed=9)
    for _ in range(5):
        env.step(env.dialogues.rule())
    other.load_state(env.state())
    for _ in range(30):
        results = [one.step(one.dialogues.rule()) for one in (env, other)]
        assert all(np.array_equal(a, b) for a, b in zip(results[0][:4], results[1][:4], strict=True))
    with pytest.raises(KeyError, match="shape"):
        MovieVectorEnv(5, world=folder).load_state(env.state())


def test_the_transcript_reads_like_a_dialogue(folder: Path) -> None:
    env = MovieEnv(world=folder, render_mode="ansi")
    env.reset(seed=5)
    ended = False
    while not ended:
        _, _, ended, _, _ = env.step(env.dialogues.rule()[0])
    lines = (env.render() or "").splitlines()
    assert lines[0].startswith("user: request(")
    assert "system: request(moviename)" in lines
    assert lines[-2] == "system: thanks()"
