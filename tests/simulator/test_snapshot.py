"""An environment put back into an earlier state plays on exactly as it did from there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from memory.turn import FloatArray
from policies.policy import random_actions
from simulator.agenda import Agenda
from simulator.noise import ErrorModel
from simulator.probes import PROBES, ProbeEnv
from simulator.random import RowRandom
from simulator.simulation import SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.user_parameters import UserParameters
from simulator.users.learned import LearnedUsers
from simulator.users.network import UserNetwork, shapes
from simulator.vector_env import DialogueVectorEnv

HABITS = UserParameters(hazard=(0.05, 0.1), thank_with_bye=0.3)


def agenda() -> DialogueVectorEnv:
    settings = SimulationSettings(small_task(), users=HABITS, errors=(ErrorModel.none(), ErrorModel.at(0.3)))
    return DialogueVectorEnv(6, small_ontology(), settings=settings)


def learned() -> DialogueVectorEnv:
    rng, env = np.random.default_rng(0), agenda()
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes(8, 4).items()}
    network = UserNetwork(weights, {"seen": dict.fromkeys(("offer", "request", "answer", "reqmore"), 10000)})
    env.simulation.users = LearnedUsers(small_ontology(), small_task(), [0] * 6, HABITS, network)
    return env


def play(env: DialogueVectorEnv | ProbeEnv, steps: int, seed: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        observations, rewards, *_ = env.step(random_actions(env.action_masks(), rng))
        yield observations, rewards


@pytest.mark.parametrize("make", [agenda, learned, *(lambda p=p: ProbeEnv(p, 6) for p in PROBES)])
def test_going_on_from_a_state_repeats_what_happened(make) -> None:  # type: ignore[no-untyped-def]
    env, other = make(), make()
    env.reset(seed=4)
    other.reset(seed=99)
    list(play(env, 23, seed=1))
    list(play(other, 5, seed=2))
    state = env.state()
    kept = {name: array.copy() for name, array in state.items()}
    first = list(play(env, 40, seed=3))
    assert all(np.array_equal(kept[name], state[name]) for name in kept)  # a state is a copy
    other.load_state(state)
    again = list(play(other, 40, seed=3))
    other.load_state(state)  # and can be used twice
    third = list(play(other, 40, seed=3))
    for one, two, three in zip(first, again, third, strict=True):
        assert all(np.array_equal(a, b) and np.array_equal(a, c) for a, b, c in zip(one, two, three, strict=True))


@pytest.mark.parametrize(
    ("owner", "forgotten"),
    [
        (RowRandom, "_next"),
        (Agenda, "state"),
        (Agenda, "goals"),
        (DialogueVectorEnv, "_masks"),
        (LearnedUsers, "_memory"),
    ],
)
def test_whatever_is_forgotten_shows(owner: type, forgotten: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = owner.__dict__["remembered"]
    make = learned if owner is LearnedUsers else agenda
    monkeypatch.setattr(owner, "remembered", tuple(name for name in remembered if name != forgotten))
    env, other = make(), make()
    env.reset(seed=4)
    other.reset(seed=99)
    list(play(env, 23, seed=1))
    list(play(other, 5, seed=2))
    other.load_state(env.state())
    try:
        pairs = zip(play(env, 40, seed=3), play(other, 40, seed=3), strict=True)
        same = all(np.array_equal(a[0], b[0]) for a, b in pairs)
    except ValueError:  # a mask of another state forbids the action
        same = False
    assert not same


def test_the_state_of_another_environment_is_refused() -> None:
    with pytest.raises(KeyError, match="shape"):
        agenda().load_state(DialogueVectorEnv(3).state())
    with pytest.raises(KeyError):
        agenda().load_state(ProbeEnv(PROBES[0], 6).state())
