"""The environments keep gymnasium's contract and their own promises."""

from __future__ import annotations

import time

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.policy import random_actions
from policies.rule import RulePolicy
from simulator.env import DialogueEnv
from simulator.evaluate import Dialogues, bootstrap, evaluate_policy, play
from simulator.noise import ErrorModel
from simulator.registration import IDS, register_environments
from simulator.reward import Reward
from simulator.simulation import DialogueSimulation, SimulationSettings
from simulator.small import restaurant_sized_ontology, restaurant_sized_task, small_ontology, small_task
from simulator.vector_env import DialogueVectorEnv

NOISY = SimulationSettings(small_task(), errors=(ErrorModel.none(), ErrorModel.at(0.3)))
LARGE = SimulationSettings(restaurant_sized_task(), errors=(ErrorModel.at(0.15),))


@pytest.mark.parametrize("featurizer", ["belief", "summary"])
@pytest.mark.filterwarnings("error")
def test_gymnasium_finds_nothing_to_complain_about(featurizer: str) -> None:
    register_environments()
    check_env(gymnasium.make(IDS[0], render_mode="ansi", featurizer=featurizer).unwrapped)


def test_environments_are_found_by_name() -> None:
    register_environments()
    register_environments()
    for name in IDS:
        env = gymnasium.make(name, ontology=small_ontology(), settings=NOISY)
        env.reset(seed=0)
        vector = gymnasium.make_vec(name, num_envs=3, vectorization_mode="vector_entry_point")
        assert vector.num_envs == 3
        assert vector.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_an_ontology_needs_its_task() -> None:
    with pytest.raises(ValueError, match="needs its `task`"):
        DialogueEnv(ontology=small_ontology())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_a_vector_row_is_the_single_environment_bit_for_bit(seed: int) -> None:
    vector = DialogueVectorEnv(4, small_ontology(), settings=NOISY)
    singles = [DialogueEnv(small_ontology(), settings=NOISY) for _ in range(4)]
    observations, info = vector.reset(seed=seed)
    for row, env in enumerate(singles):
        assert np.array_equal(env.reset(seed=seed + row)[0], observations[row])
    rng = np.random.default_rng(seed)
    for _ in range(40):
        actions = random_actions(info["action_mask"], rng)
        observations, rewards, terminated, truncated, info = vector.step(actions)
        for row, env in enumerate(singles):
            one = env.step(np.int64(actions[row]))
            assert one[1:4] == (rewards[row], terminated[row], truncated[row])
            if terminated[row] or truncated[row]:
                assert np.array_equal(one[0], info["final_obs"][row])
                assert one[4]["success"] == info["final_info"]["success"][row]
                assert one[4]["turns"] == info["final_info"]["turns"][row]
                one = (env.reset()[0], *one[1:])
            assert np.array_equal(one[0], observations[row])
            assert np.array_equal(env.action_masks(), info["action_mask"][row])


def test_seeds_decide_everything() -> None:
    def trace(seed: int | list[int]) -> list[bytes]:
        env = DialogueVectorEnv(8, small_ontology(), settings=NOISY)
        observations, info = env.reset(seed=seed)
        record = [observations.tobytes()]
        rng = np.random.default_rng(0)
        for _ in range(30):
            observations, rewards, *_, info = env.step(random_actions(info["action_mask"], rng))
            record.append(observations.tobytes() + rewards.tobytes())
        return record

    assert trace(3) == trace(3) == trace(list(range(3, 11)))
    assert trace(3) != trace(4)
    with pytest.raises(ValueError, match="2 seeds for 8 dialogues"):
        trace([1, 2])


def test_masked_actions_are_refused_by_name_or_replaced() -> None:
    env = DialogueVectorEnv(2)
    env.reset(seed=0)
    bye = env.action_names.index("bye")
    with pytest.raises(ValueError, match=r"dialogue 0: action 'bye' is masked"):
        env.step(np.array([bye, bye], dtype=np.int32))
    single = DialogueEnv()
    single.reset(seed=0)
    assert single.step(np.int64(bye))[4]["masked"] is True
    assert single.step(np.int64(np.argmax(single.action_masks())))[4]["masked"] is False


def test_observations_depend_on_what_was_heard_only() -> None:
    """Two users with different goals who are heard alike are seen alike."""
    ontology = small_ontology()
    one, two = (DialogueSimulation(ontology, NOISY, [seed]) for seed in (1, 2))
    assert not np.array_equal(one.users.goals.wanted, two.users.goals.wanted)
    env = DialogueEnv(ontology, settings=NOISY)
    two.belief = one.belief
    two.users.goals.requests[:] = ~one.users.goals.requests
    assert np.array_equal(env.featurizer(one.belief), env.featurizer(two.belief))
    assert np.array_equal(one.masks(), two.masks())


def test_a_hundred_thousand_steps_without_a_violation() -> None:
    env = DialogueVectorEnv(512, small_ontology(), settings=NOISY)
    _, info = env.reset(seed=9)
    rng = np.random.default_rng(9)
    low, high = env.settings.reward.bounds(env.settings.max_turns)
    returns, dialogues, successes = np.zeros(512), 0, 0
    for _ in range(200):
        masks = info["action_mask"]
        assert masks.any(axis=1).all()
        observations, rewards, terminated, truncated, info = env.step(random_actions(masks, rng))
        assert env.observation_space.contains(observations)
        returns += rewards
        done = terminated | truncated
        assert ((returns[done] >= low) & (returns[done] <= high)).all()
        if done.any():
            assert (info["final_info"]["turns"][done] <= env.settings.max_turns).all()
            assert (returns[done] == 20 * info["final_info"]["success"][done] - info["final_info"]["turns"][done]).all()
            successes += int(info["final_info"]["success"].sum())
        dialogues += int(done.sum())
        returns[done] = 0
    assert dialogues > 4000
    assert 0 < successes < dialogues


def test_fifty_thousand_user_turns_a_second() -> None:
    """The target is 50,000 on an idle core; the bound leaves room for a busy machine."""
    env = DialogueVectorEnv(1024, restaurant_sized_ontology(), settings=LARGE)
    policy = RulePolicy(restaurant_sized_ontology(), env.simulation.space)
    env.reset(seed=0)
    began = time.process_time()
    for _ in range(30):
        env.step(policy.choose(env.simulation.belief, env.action_masks()))
    assert 30 * 1024 / (time.process_time() - began) > 25_000


def test_the_transcript_is_rendered() -> None:
    env = DialogueEnv(render_mode="ansi")
    env.reset(seed=4)
    asked = next(name for name, ok in zip(env.action_names, env.action_masks(), strict=True) if ok)
    env.step(np.int64(env.action_names.index(asked)))
    text = env.render()
    assert text is not None
    lines = text.splitlines()
    assert [line.split(":")[0] for line in lines] == ["user", "system", "user"]
    assert lines[1] == f"system: request({asked.removeprefix('request_')})"
    assert DialogueEnv().render() is None


def test_ending_on_the_users_goodbye() -> None:
    ontology = small_ontology()
    at_once = SimulationSettings(small_task(), ends_on_bye=True)
    waiting = SimulationSettings(small_task())
    first, second = (play(RulePolicy(ontology), ontology, s, 200, 3) for s in (at_once, waiting))
    assert first.success.mean() == second.success.mean() == 1.0
    assert first.turns.mean() < second.turns.mean()


def test_rewards() -> None:
    reward = Reward()
    done, fulfilled = np.array([True, True, False]), np.array([True, False, True])
    assert reward(done, fulfilled).tolist() == [19.0, -1.0, -1.0]
    assert reward.bounds(25) == (-25.0, 19.0)


def test_evaluation_is_reproducible_and_its_interval_covers() -> None:
    ontology = small_ontology()
    noisy = SimulationSettings(small_task(), errors=(ErrorModel.at(0.3),))
    first, second = (evaluate_policy(RulePolicy(ontology), ontology, noisy, 100, (0, 1)) for _ in range(2))
    assert first == second
    reward = first["reward"]
    assert reward["low"] < reward["mean"] < reward["high"]
    played = play(RulePolicy(ontology), ontology, SimulationSettings(small_task()), 50, 0)
    assert isinstance(played, Dialogues)
    np.testing.assert_allclose(played.reward, 20 * played.success - played.turns)


def test_bootstrap_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        estimate = bootstrap(rng.normal(3.0, 1.0, size=(1, 80)).astype(np.float32), resamples=200)
        covered += estimate.low <= 3.0 <= estimate.high
    assert covered >= 50
