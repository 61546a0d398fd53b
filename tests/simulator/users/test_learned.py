"""The learned user: its network is torch's, its dialogues depend on nothing but their seeds, its goals are reached."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from memory.dialogue import SystemAct
from memory.turn import system_turn
from policies.rule import RulePolicy
from simulator.corpora.dialogues import CorpusDialogue, CorpusError, CorpusTurn
from simulator.env import DialogueEnv
from simulator.evaluate import play
from simulator.noise import ErrorModel
from simulator.simulation import DialogueSimulation, SimulationSettings
from simulator.user_agenda import AgendaUsers
from simulator.user_turn import Told, user_acts
from simulator.users.factory import build_users
from simulator.users.learned import LearnedUsers
from simulator.users.learning import _Network, learn_user, sequences
from simulator.users.network import LearnedUserError, UserNetwork, shapes
from simulator.users.predict import NetworkPredictor
from simulator.users.replay import Replay
from simulator.users.situation import features
from simulator.vector_env import DialogueVectorEnv
from tests.simulator.users.conftest import SMALL
from tests.simulator.users.recordings import ONTOLOGY, TALKATIVE, TASK, record

NOISY = (ErrorModel.none(), ErrorModel.at(0.3))


def test_the_network_is_the_one_that_was_trained(network: UserNetwork) -> None:
    """NumPy's chances, turn by turn, are torch's on whole sequences."""
    replay = Replay(record(20, seed=5))
    data = sequences(replay)
    trained = _Network(SMALL)
    trained.load_state_dict({name: torch.from_numpy(value) for name, value in network.weights.items()})
    trained.eval()
    with torch.no_grad():
        wanted = torch.sigmoid(trained(*data.inputs)).numpy()
    predictor = NetworkPredictor(network, replay)
    for t, step in enumerate(replay.steps()):
        assert np.allclose(predictor(step), wanted[step.rows, t], atol=2e-4)


@pytest.mark.parametrize("batch", [1, 3, 64, 65, 200])
def test_a_row_of_the_network_is_the_same_bits_alone(network: UserNetwork, batch: int) -> None:
    rng = np.random.default_rng(batch)
    step = next(iter(Replay(record(batch, seed=9)).steps()))
    seen, memory = features(step.situation), rng.random((batch, network.hidden), dtype=np.float32)
    together, after = network.step(seen, memory)
    for row in (0, batch // 2, batch - 1):
        one = slice(row, row + 1)
        alone, then = network.step(type(seen)(*(getattr(seen, n)[one] for n in seen.__slots__)), memory[one])
        assert np.array_equal(alone.flat[0], together.flat[row])
        assert np.array_equal(then[0], after[row])


@pytest.mark.parametrize("seed", [0, 40])
def test_a_vector_row_is_the_single_environment_bit_for_bit(learned: Path, seed: int) -> None:
    settings = SimulationSettings(TASK, TALKATIVE, errors=NOISY, user=str(learned))
    vector = DialogueVectorEnv(5, ONTOLOGY, settings=settings)
    singles = [DialogueEnv(ONTOLOGY, settings=settings) for _ in range(5)]
    observations, info = vector.reset(seed=seed)
    for row, env in enumerate(singles):
        assert np.array_equal(env.reset(seed=seed + row)[0], observations[row])
    rng = np.random.default_rng(seed)
    for _ in range(30):
        masks = info["action_mask"]
        actions = np.array([rng.choice(np.flatnonzero(mask)) for mask in masks], dtype=np.int32)
        observations, rewards, terminated, truncated, info = vector.step(actions)
        for row, env in enumerate(singles):
            one = env.step(np.int64(actions[row]))
            assert one[1:4] == (rewards[row], terminated[row], truncated[row])
            observed = env.reset()[0] if terminated[row] or truncated[row] else one[0]
            assert np.array_equal(observed, observations[row])


def test_learned_people_can_be_served(learned: Path) -> None:
    settings = SimulationSettings(TASK, TALKATIVE, user=str(learned))
    outcome = play(RulePolicy(ONTOLOGY), ONTOLOGY, settings, 400, 1)
    assert outcome.success.mean() > 0.9
    assert 3 < outcome.turns.mean() < 12
    noisy = play(RulePolicy(ONTOLOGY), ONTOLOGY, replace(settings, errors=(ErrorModel.at(0.3),)), 400, 1)
    assert 0.4 < noisy.success.mean() < outcome.success.mean()


def test_mistakes_of_the_system_are_corrected(network: UserNetwork) -> None:
    """Recordings do not show them; the agenda knows what to do."""
    users = LearnedUsers(ONTOLOGY, TASK, range(200), TALKATIVE, network)
    rows = np.arange(200, dtype=np.int32)
    users.open(rows)
    entity = next(e for e in range(ONTOLOGY.num_entities) if users._misses(rows[:1], np.array([e])).any())
    turn = system_turn(ONTOLOGY, SystemAct("offer", entity=ONTOLOGY.entity_names[entity]))
    system = type(turn)(*(np.repeat(getattr(turn, name), 200, axis=0) for name in turn.__slots__))
    misses = users._misses(rows, system.entity).any(axis=1)
    assert misses[0]
    told = Told(np.full(users.goals.wanted.shape, -1, dtype=np.int32), users.goals.open_value.copy())
    said = users.react(system, told)
    assert (users.state.venue[misses] == -1).all()
    objects = (said.inform >= 0).any(axis=1) | (said.deny >= 0).any(axis=1) | said.flow.any(axis=1)
    assert objects[misses].all()


def test_nobody_says_goodbye_before_the_end(learned: Path) -> None:
    """The first goodbye of a learned user comes when everything is done, or when nothing matches."""
    settings = SimulationSettings(
        replace(TASK, unsatisfiable=0.0), replace(TALKATIVE, patience=(50, 50)), user=str(learned)
    )
    simulation = DialogueSimulation(ONTOLOGY, settings, range(300))
    policy, rng = RulePolicy(ONTOLOGY), np.random.default_rng(0)
    for _ in range(25):
        left = simulation.users.state.goodbyes > 0
        simulation.step(policy.act(simulation.belief, simulation.masks(), rng).actions)
        leaves = ~left & (simulation.users.state.goodbyes > 0)
        assert simulation.users.fulfilled()[leaves].all()


def test_a_user_is_chosen_by_name(learned: Path) -> None:
    assert type(build_users(ONTOLOGY, TASK, [0], None)) is AgendaUsers
    users = build_users(ONTOLOGY, TASK, [0], None, str(learned))
    assert type(users) is LearnedUsers
    said = user_acts(ONTOLOGY, users.open(np.zeros(1, dtype=np.int32)))
    assert said


def test_equal_seeds_give_equal_networks() -> None:
    short, recordings = replace(SMALL, epochs=2), record(60)
    one, other = learn_user(recordings, short), learn_user(recordings, short)
    assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)
    different = learn_user(recordings, replace(short, seed=1))
    assert not np.array_equal(one.weights["flow.weight"], different.weights["flow.weight"])


def test_too_few_dialogues_are_refused() -> None:
    with pytest.raises(CorpusError, match="too few"):
        learn_user([replace(record(1)[0], id="x")])


def test_a_network_learns_answers_and_not_noise(network: UserNetwork) -> None:
    """People whose answers have nothing to do with the questions can't be predicted as well."""

    def loss(found: UserNetwork) -> float:
        return float(found.manifest["validation_loss"])

    mixed = _with_strange_answers(record(200))
    assert loss(network) < 0.75 * loss(learn_user(mixed, SMALL))


def _with_strange_answers(dialogues: list[CorpusDialogue]) -> list[CorpusDialogue]:
    rng = np.random.default_rng(0)
    everything = [turn.user for dialogue in dialogues for turn in dialogue.turns]
    return [
        replace(
            dialogue,
            turns=tuple(CorpusTurn(turn.system, everything[rng.integers(len(everything))]) for turn in dialogue.turns),
        )
        for dialogue in dialogues
    ]


def test_files_are_checked(learned: Path, tmp_path: Path) -> None:
    def copy() -> Path:
        for file in learned.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        return tmp_path

    def manifest(**changes: object) -> None:
        content = json.loads((copy() / "manifest.json").read_text())
        (tmp_path / "manifest.json").write_text(json.dumps({**content, **changes}))

    with pytest.raises(LearnedUserError, match="rejoinder train user"):
        UserNetwork.load(tmp_path / "nowhere")
    manifest(interface=[1])
    with pytest.raises(LearnedUserError, match="another version"):
        UserNetwork.load(tmp_path)
    manifest(hidden=7)
    with pytest.raises(LearnedUserError, match="shapes"):
        UserNetwork.load(tmp_path)
    weights = load_file(copy() / "weights.safetensors")
    save_file({**weights, "flow.bias": weights["flow.bias"] + 1}, tmp_path / "weights.safetensors")
    with pytest.raises(LearnedUserError, match="differs from its manifest"):
        UserNetwork.load(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(LearnedUserError, match="damaged"):
        UserNetwork.load(tmp_path)
    with pytest.raises(LearnedUserError):
        SimulationSettings(TASK, user=str(tmp_path)) and build_users(ONTOLOGY, TASK, [0], None, str(tmp_path))


def test_all_weights_have_the_documented_shapes(network: UserNetwork) -> None:
    assert {name: value.shape for name, value in network.weights.items()} == shapes(SMALL.hidden, SMALL.width)
