from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from simulator.env import DialogueEnv
from simulator.pydial.dialogues import VIEWS
from simulator.registration import register_environments
from simulator.vector_env import DialogueVectorEnv
from tests.simulator.pydial.worlds import write


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write(tmp_path_factory.mktemp("hats"))


@pytest.mark.parametrize("view", VIEWS)
def test_gymnasiums_checker_is_content(files: tuple[Path, Path], view: str) -> None:
    register_environments()
    check_env(gymnasium.make("rejoinder/PyDial-v0", world=files, env=3, view=view, render_mode="ansi").unwrapped)


def test_make_vec(files: tuple[Path, Path]) -> None:
    register_environments()
    env = gymnasium.make_vec("rejoinder/PyDial-v0", num_envs=5, world=files, env=2)
    observations, info = env.reset(seed=1)
    assert observations.shape == env.observation_space.shape
    assert info["action_mask"].shape == (5, 16)


def test_single_and_vector_environment_give_the_same_dialogue(files: tuple[Path, Path]) -> None:
    single = DialogueEnv.from_pydial(*files, env=6)
    vector = DialogueVectorEnv.from_pydial(*files, env=6, num_envs=3)
    one, _ = single.reset(seed=42)
    many, _ = vector.reset(seed=[40, 42, 44])
    rng = np.random.default_rng(3)
    for _ in range(40):
        assert np.array_equal(one, many[1])
        masks = vector.action_masks()
        assert np.array_equal(masks[1], single.action_masks())
        actions = np.argmax(rng.random(masks.shape) * masks, axis=1)
        one, reward, terminated, truncated, info = single.step(actions[1])
        many, rewards, ended, cut, infos = vector.step(actions)
        assert (reward, terminated, truncated) == (rewards[1], ended[1], cut[1])
        if terminated or truncated:
            assert np.array_equal(one, infos["final_obs"][1])
            assert info["success"] == infos["final_info"]["success"][1]
            assert info["turns"] == infos["final_info"]["turns"][1]
            one, _ = single.reset()


def test_both_environments_have_the_same_statistics(files: tuple[Path, Path]) -> None:
    """300 dialogues one by one and 300 at once with other seeds: mean returns within three standard errors."""
    single = DialogueEnv.from_pydial(*files, env=3)
    returns = np.zeros(300)
    for n in range(300):
        single.reset(seed=n)
        ended = False
        while not ended:
            _, reward, terminated, truncated, _ = single.step(single.dialogues.teacher()[0])
            returns[n] += reward
            ended = terminated or truncated
    vector = DialogueVectorEnv.from_pydial(*files, env=3, num_envs=300)
    vector.reset(seed=10_000)
    others, live = np.zeros(300), np.ones(300, dtype=bool)
    while live.any():
        _, rewards, terminated, truncated, _ = vector.step(vector.dialogues.teacher())
        others += rewards * live
        live &= ~(terminated | truncated)
    error = np.sqrt(returns.var() / 300 + others.var() / 300)
    assert abs(returns.mean() - others.mean()) < 3 * error


def test_masked_actions_and_bad_arguments_are_refused(files: tuple[Path, Path]) -> None:
    vector = DialogueVectorEnv.from_pydial(*files, env=1, num_envs=2)
    vector.reset(seed=0)
    restart = vector.action_names.index("restart")
    with pytest.raises(ValueError, match="'restart' is masked"):
        vector.step(np.array([0, restart]))
    with pytest.raises(ValueError, match="integers from 0 to 15"):
        vector.step(np.array([0, 99]))
    with pytest.raises(ValueError, match="no environment 7"):
        DialogueEnv.from_pydial(*files, env=7)
    with pytest.raises(ValueError, match="unknown view 'words'"):
        DialogueEnv.from_pydial(*files, view="words")


def test_the_transcript_reads_like_a_dialogue(files: tuple[Path, Path]) -> None:
    env = DialogueEnv.from_pydial(*files, env=1, render_mode="ansi")
    env.reset(seed=5)
    ended = False
    while not ended:
        _, _, terminated, truncated, _ = env.step(env.dialogues.teacher()[0])
        ended = terminated or truncated
    lines = (env.render() or "").splitlines()
    assert lines[0] == "system: hello()"
    assert lines[-1] == "user: bye()"
    assert any(line.startswith('system: inform(name="hat') for line in lines)


def test_a_restored_environment_goes_on_to_the_same_bits(files: tuple[Path, Path]) -> None:
    env, other = (DialogueVectorEnv.from_pydial(*files, env=3, num_envs=4) for _ in range(2))
    env.reset(seed=9)
    for _ in range(5):
        env.step(env.dialogues.teacher())
    other.load_state(env.state())
    for _ in range(30):
        results = [one.step(one.dialogues.teacher()) for one in (env, other)]
        assert all(np.array_equal(a, b) for a, b in zip(results[0][:4], results[1][:4], strict=True))
    with pytest.raises(KeyError, match="shape"):
        DialogueVectorEnv.from_pydial(*files, env=3, num_envs=5).load_state(env.state())
