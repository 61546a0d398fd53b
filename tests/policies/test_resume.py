"""A training that was killed ends, once resumed, with exactly the bits of one that was not."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from pathlib import Path

import numpy as np
import pytest

from policies.dqn import DQNConfig
from policies.resume import Checkpoints, ResumeError, digest, pack_json, pack_rng, restore_rng, unpack_json
from policies.train import DQNTraining, train_dqn
from simulator.probes import ACTION, ProbeEnv
from tests.policies.resumed_training import CONFIG, NOISY, finish, summary, training, without


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], str]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    run = training(CONFIG, folder)
    run.run()
    return summary(run), (folder / "metrics.jsonl").read_text()


def test_killed_at_random_moments_it_ends_with_the_same_bits(
    tmp_path: Path, uninterrupted: tuple[dict[str, str], str]
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.policies.resumed_training"])
    moments, killed, steps = random.Random(5), 0, set()
    while not (tmp_path / "digest.json").exists():
        enough = killed >= 3
        process = context.Process(target=finish, args=(tmp_path, 0.0 if enough else 0.08))
        process.start()
        process.join(60 if enough else 0.0)
        before = _last_step(tmp_path)
        while not enough and process.is_alive() and _last_step(tmp_path) < before + 5:
            time.sleep(0.005)
        if not enough:
            time.sleep(moments.uniform(0.0, 0.2))  # in a step, in an update, in the middle of writing
            process.kill()
            process.join()
            assert process.exitcode == -9
            killed += 1
            steps.add(_last_step(tmp_path))
        else:
            assert process.exitcode == 0
    assert len(steps) == 3  # each run went on from where the one before it was killed
    assert json.loads((tmp_path / "digest.json").read_text()) == uninterrupted[0]
    assert (tmp_path / "metrics.jsonl").read_text() == uninterrupted[1]


def _last_step(folder: Path) -> int:
    path = folder / "resume" / "resume.json"
    return int(json.loads(path.read_text())["step"]) if path.exists() else 0


FORGOTTEN = [
    "rng", "bootstrap", "learner/noise", "explorer/head", "env/simulation/users/random/_next",
    "env/simulation/_noise_random/_next", "replay/priorities", "learner/target/advantage.weight",
    "learner/optimizer/0/exp_avg", "learner/optimizer/0/step", "began",
]  # fmt: skip


@pytest.mark.parametrize("key", [None, *FORGOTTEN])
def test_everything_in_the_state_is_needed(key: str | None, tmp_path: Path) -> None:
    """Forgetting any generator, or any other part, must show; forgetting nothing must not."""
    config = NOISY if key == "learner/noise" else CONFIG
    first, second = training(config, tmp_path), training(config, tmp_path)
    fresh = second.state()
    while first.step < 20:
        first.advance()
    state = first.state()
    if key is not None and key not in fresh:  # an optimiser that has made no step has no moments
        fresh[key] = np.zeros_like(state[key])
    second.load_state(state if key is None else without(state, key, _sized(fresh, state, key)))
    for run in (first, second):
        while run.step < 32:
            run.advance()
    assert (summary(first) == summary(second)) == (key is None)


def _sized(fresh: dict[str, np.ndarray], state: dict[str, np.ndarray], key: str) -> dict[str, np.ndarray]:
    same = fresh[key].shape == state[key].shape or key in ("rng", "bootstrap", "learner/noise")
    return fresh if same else {**fresh, key: np.zeros_like(state[key])}


def quick(**changes: object) -> DQNConfig:
    settings = {"steps": 20, "num_envs": 4, "spike_steps": 4, "pretrain_updates": 0, "batch_size": 8, "hidden": (4,)}
    return DQNConfig(**{**settings, "capacity": 400, "evaluate_every": 5, **changes})


def run_quick(env: ProbeEnv, config: DQNConfig, folder: Path, *, resume: bool = True) -> None:
    train_dqn(env, config, lambda _: {"reward": 0.0}, checkpoints=Checkpoints(folder, 2, None), resume=resume)


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    run_quick(ProbeEnv(ACTION, 4), quick(), tmp_path)
    with pytest.raises(ResumeError, match=r"resume.json: this training was begun with gamma = 0.99, now it is 0.5"):
        run_quick(ProbeEnv(ACTION, 4), quick(gamma=0.5), tmp_path)
    with pytest.raises(ResumeError, match="begun with world = None, now it is 'other'"):
        Checkpoints(tmp_path, about={"world": "other"}).load(
            json.loads((tmp_path / "resume.json").read_text())["settings"]
        )
    run_quick(ProbeEnv(ACTION, 4), quick(gamma=0.5), tmp_path, resume=False)  # begins anew instead


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "manifest"])
def test_damage_is_named(damage: str, tmp_path: Path) -> None:
    run_quick(ProbeEnv(ACTION, 4), quick(), tmp_path)
    (path,) = tmp_path.glob("state-*.npz")
    data = bytearray(path.read_bytes())
    match damage:
        case "flip":
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "remove":
            path.unlink()
        case _:
            (tmp_path / "resume.json").write_text("{")
    with pytest.raises(ResumeError, match=r"(resume\.json|state-20\.npz): .*train without resuming"):
        run_quick(ProbeEnv(ACTION, 4), quick(), tmp_path)


def test_half_written_checkpoints_are_ignored_and_removed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {}, {"a": np.arange(3)})
    (tmp_path / "state-2.npz").write_bytes(b"a crash between the arrays and the manifest")
    (tmp_path / ".state-3.npz.abc").write_bytes(b"a crash amid the arrays")
    loaded = checkpoints.load({})
    assert loaded is not None
    assert loaded["a"].tolist() == [0, 1, 2]
    checkpoints.save(4, {}, {"a": np.arange(4)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resume.json", "state-4.npz"]


def test_nothing_to_resume_is_a_beginning(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none").load({}) is None


def test_an_environment_without_a_state_is_refused_before_training(tmp_path: Path) -> None:
    class Opaque:
        num_envs = 4

        def __init__(self) -> None:
            inner = ProbeEnv(ACTION, 4)
            self.reset, self.step, self.action_masks = inner.reset, inner.step, inner.action_masks

    with pytest.raises(ResumeError, match="Opaque has no state"):
        train_dqn(Opaque(), quick(), lambda _: {"reward": 0.0}, checkpoints=Checkpoints(tmp_path))


@pytest.mark.parametrize("what", ["rewards", "features"])
def test_a_number_that_is_not_finite_stops_training_and_keeps_the_last_good_state(what: str, tmp_path: Path) -> None:
    class Broken(ProbeEnv):
        steps = 0

        def step(self, actions):  # type: ignore[no-untyped-def]
            features, rewards, *rest = super().step(actions)
            self.steps += 1
            if self.steps == 13:
                (rewards if what == "rewards" else features)[2] = np.nan
            return features, rewards, *rest

    with pytest.raises(FloatingPointError, match=f"{what} is not finite at update 24"):  # 8 steps of 3 updates
        run_quick(Broken(ACTION, 4), quick(), tmp_path)
    state = Checkpoints(tmp_path).load(json.loads((tmp_path / "resume.json").read_text())["settings"])
    assert state is not None
    assert int(state["step"]) == 12
    assert all(np.isfinite(array).all() for array in state.values() if array.dtype.kind == "f")


def test_when_it_is_written_has_no_influence(tmp_path: Path) -> None:
    plain, written = (DQNTraining(ProbeEnv(ACTION, 4), quick(), lambda _: {"reward": 0.0}) for _ in range(2))
    plain.run()
    written.run(Checkpoints(tmp_path, every_steps=3, every_seconds=0.0))
    assert summary(plain) == summary(written)
    other = DQNTraining(ProbeEnv(ACTION, 4), quick(seed=1), lambda _: {"reward": 0.0})
    other.run()
    assert summary(other)["learner"] != summary(plain)["learner"]


def test_generators_and_numbers_come_back_exactly() -> None:
    rng, other = np.random.default_rng(3), np.random.default_rng(4)
    rng.random(7)
    rng.integers(5, dtype=np.uint32)  # leaves half a word behind
    restore_rng(other, pack_rng(rng))
    assert (rng.integers(9, size=5, dtype=np.uint32) == other.integers(9, size=5, dtype=np.uint32)).all()
    assert unpack_json(pack_json([0.1, -np.inf, 2**127])) == [0.1, -np.inf, 2**127]
    one = {"a": np.arange(3), "b": np.zeros(2)}
    assert digest(one) == digest(dict(reversed(one.items())))
    assert digest(one) != digest({**one, "b": np.array([0.0, -0.0])})
