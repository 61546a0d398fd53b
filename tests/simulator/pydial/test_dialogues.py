"""The dialogues themselves: reproducible, alike in any batch, and what the acts do to belief, masks and goal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.pydial.dialogues import VIEWS, BenchmarkDialogues
from simulator.pydial.domain import Domain, load_domain
from simulator.pydial.settings import ENVIRONMENTS, environment
from simulator.pydial.state import State
from simulator.pydial.tables import AFFIRM, INFORM, NULL, REQALTS, S_CONFIRM
from simulator.pydial.tracker import M_ALTERNATIVES, M_CONSTRAINTS
from tests.simulator.pydial.worlds import write


@pytest.fixture(scope="module")
def hats(tmp_path_factory: pytest.TempPathFactory) -> Domain:
    return load_domain(*write(tmp_path_factory.mktemp("hats")))


def random_steps(dialogues: BenchmarkDialogues, rng: np.random.Generator) -> np.ndarray:
    return np.argmax(rng.random(dialogues.masks.shape) * dialogues.masks, axis=1).astype(np.int32)


@pytest.mark.parametrize("env", [1, 3, 4, 6])
def test_a_dialogue_is_bit_equal_alone_and_among_others(hats: Domain, env: int) -> None:
    many = BenchmarkDialogues(hats, environment(env), [11, 12, 13, 14])
    alone = BenchmarkDialogues(hats, environment(env), [13])
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = random_steps(many, rng)
        rewards = many.step(actions)
        assert alone.step(actions[2:3])[0] == rewards[2]
        for name in State._fields:
            assert np.array_equal(getattr(alone.state, name)[0], getattr(many.state, name)[2]), name
        over = np.flatnonzero(many.state.over)
        many.reset(over)
        if 2 in over:
            alone.reset(np.array([0]))
        for view in VIEWS:
            assert np.array_equal(alone.observe(view)[0], many.observe(view)[2])


@pytest.mark.parametrize("env", sorted(ENVIRONMENTS))
def test_beliefs_masks_and_rewards_keep_their_laws(hats: Domain, env: int) -> None:
    dialogues = BenchmarkDialogues(hats, environment(env), list(range(200)))
    tables, state = dialogues.tables, dialogues.state
    rng = np.random.default_rng(env)
    total = np.zeros(200)
    while not state.over.all():
        total += dialogues.step(random_steps(dialogues, rng))
        assert dialogues.masks.any(axis=1).all()
        for k in range(len(tables.size)):
            block = state.belief[:, tables.offset[k] : tables.offset[k + 1]]
            assert np.allclose(block.sum(axis=1), 1.0, atol=1e-4)
            assert (block >= -1e-6).all()
        assert np.allclose(state.method.sum(axis=1), 1.0, atol=1e-4)
        assert ((state.requested >= 0) & (state.requested <= 1)).all()
        for view in VIEWS:
            seen = dialogues.observe(view)
            assert ((seen >= 0) & (seen <= 1.0001)).all(), view
    assert np.allclose(total, 20 * state.success - dialogues.turns())
    assert dialogues.turns().max() <= 25


def test_goals_have_two_or_three_entities_and_always_ask_for_the_name(hats: Domain) -> None:
    dialogues = BenchmarkDialogues(hats, environment(1), list(range(500)))
    tables, state = dialogues.tables, dialogues.state
    for row in range(500):
        keep = np.ones(len(tables.entity_value), dtype=bool)
        for k, wanted in enumerate(state.want[row]):
            inform = tables.system_inform[k]
            if wanted not in (-1, tables.size[inform]):
                keep &= tables.entity_value[:, inform] == wanted
        assert keep.sum() in (2, 3)
    assert (state.filled[:, tables.name_slot] == 0).all()
    asked = (state.filled[:, : tables.type_slot] == 0).sum(axis=1)
    assert set(asked) == {1, 2, 3}


def test_without_errors_the_truth_arrives_alone(hats: Domain) -> None:
    dialogues = BenchmarkDialogues(hats, environment(1), list(range(300)))
    state = dialogues.state
    assert (state.hyps == 1).all()
    assert (state.hyp_score[:, 0] == 1.0).all()
    assert np.array_equal(state.hyp_act[:, 0], state.user_act)


def test_error_rates_and_scores_are_those_of_the_profile(hats: Domain) -> None:
    """15 % of the first hypotheses are wrong; correct ones score .871 on average before normalisation by about 1."""
    dialogues = BenchmarkDialogues(hats, environment(3), list(range(20_000)))
    state = dialogues.state
    same = (state.hyp_act[:, 0] == state.user_act) & (state.hyp_items[:, 0] == state.user_items)
    for n in range(2):
        said = state.user_items > n
        same &= ~said | (
            (state.hyp_slot[:, 0, n] == state.user_slot[:, n]) & (state.hyp_value[:, 0, n] == state.user_value[:, n])
        )
    assert 0.14 < 1 - same.mean() < 0.16
    valid = np.arange(state.hyp_score.shape[1]) < state.hyps[:, None]
    assert np.allclose((state.hyp_score * valid).sum(axis=1), 1.0, atol=1e-5)
    last = state.hyp_act[np.arange(20_000), state.hyps - 1]
    assert (last == NULL).all()
    lengths = np.bincount(state.hyps[same] - 1, minlength=6)[1:] / same.sum()
    assert np.allclose(lengths, [0.264, 0.215, 0.138, 0.099, 0.284], atol=0.015)


def test_the_focus_update_keeps_what_was_not_contradicted(hats: Domain) -> None:
    """After an inform with mass u the old belief keeps 1 - u; affirming a confirmation informs its value."""
    dialogues = BenchmarkDialogues(hats, environment(3), list(range(4000)))
    tables, state = dialogues.tables, dialogues.state
    before = state.belief.copy()
    rng = np.random.default_rng(1)
    dialogues.step(random_steps(dialogues, rng))
    checked = 0
    for row in np.flatnonzero(~state.over):
        for k in range(3):
            start, size = tables.offset[k], tables.size[k]
            mass = np.zeros(size + 2)
            ambiguous = False
            for h in range(state.hyps[row]):
                act, items = state.hyp_act[row, h], int(state.hyp_items[row, h])
                pairs = list(zip(state.hyp_slot[row, h, :items], state.hyp_value[row, h, :items], strict=True))
                ambiguous |= act not in (INFORM, NULL) or any(slot < 0 or value < 0 for slot, value in pairs)
                values = {tables.inform_of[slot]: value for slot, value in pairs if tables.inform_of[slot] >= 0}
                if act == INFORM and k in values:
                    mass[values[k] + (values[k] == size)] += state.hyp_score[row, h]
            if ambiguous:
                continue
            keep = max(1 - mass.sum(), 0.0)
            expected = keep * before[row, start : start + size + 2] + mass
            expected[size] = 0.0
            expected[size] = 1 - expected.sum()
            assert np.allclose(expected, state.belief[row, start : start + size + 2], atol=1e-5)
            checked += mass.sum() > 0
    assert checked > 100


def test_users_contradict_what_is_wrong_and_affirm_what_is_right(hats: Domain) -> None:
    dialogues = BenchmarkDialogues(hats, environment(1), list(range(3000)))
    tables, state = dialogues.tables, dialogues.state
    known = np.flatnonzero(dialogues.masks[:, 1])
    actions = np.zeros(3000, dtype=np.int32)
    actions[known] = 1
    dialogues.step(actions)
    confirmed = known[(state.system_act[known] == S_CONFIRM)]
    right = state.first[confirmed] == state.want[confirmed, 0]
    assert right.all(), "without errors everything believed is what the user said"
    assert (state.user_act[confirmed] == AFFIRM).all()
    assert tables.requestable > 0


def test_alternatives_are_masked_until_asked_for(hats: Domain) -> None:
    dialogues = BenchmarkDialogues(hats, environment(1), list(range(2000)))
    state, index = dialogues.state, dialogues.names.index("inform_alternatives")
    asked = False
    for _ in range(8):
        dialogues.step(dialogues.teacher())
        live = ~state.over
        wants = live & (state.user_act == REQALTS) & (state.user_items == 0)
        assert (state.method[wants, M_ALTERNATIVES] == 1.0).all()
        assert dialogues.masks[wants & (state.last_name >= 0), index].all()
        first = live & (state.method[:, M_CONSTRAINTS] == 1.0) & (state.last_name < 0)
        assert not dialogues.masks[first, index].any()
        asked |= wants.any()
    assert asked


def test_every_step_is_one_dialogue_turn_and_ended_ones_stay(hats: Domain, tmp_path: Path) -> None:
    dialogues = BenchmarkDialogues(hats, environment(2), list(range(50)))
    bye = dialogues.names.index("bye")
    reward = dialogues.step(np.full(50, bye, dtype=np.int32))
    assert dialogues.state.over.all()
    assert (reward == -1.0).all()
    assert (dialogues.step(np.zeros(50, dtype=np.int32)) == 0.0).all()
