"""Thousands of dialogues as one gymnasium vector environment, without a Python loop over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import FloatArray
from policies.featurizer import Featurizer, build_featurizer
from policies.resume import State
from simulator.goal import Task
from simulator.simulation import DialogueSimulation, SimulationSettings
from simulator.small import small_ontology, small_task
from simulator.snapshot import restore, snapshot

if TYPE_CHECKING:
    from simulator.pydial.env import BenchmarkVectorEnv

Seeds = int | Sequence[int] | None


def resolve_world(
    ontology: Ontology | None, task: Task | None, settings: SimulationSettings | None
) -> tuple[Ontology, SimulationSettings]:
    """The ontology and settings an environment runs with; without an ontology, the small built-in one.

    ``task`` overrides the settings' task. ValueError when an ontology comes with neither.
    """
    if ontology is None:
        ontology, task = small_ontology(), task or small_task()
    if settings is None:
        if task is None:
            raise ValueError("an environment with an `ontology` needs its `task` (or whole `settings`) as well")
        return ontology, SimulationSettings(task)
    return ontology, settings if task is None else replace(settings, task=task)


def first_masked(actions: IntArray, masks: BoolArray) -> int | None:
    """The first row whose action is not allowed, or None."""
    forbidden = ~masks[np.arange(len(actions)), actions]
    return int(np.argmax(forbidden)) if forbidden.any() else None


class DialogueVectorEnv(VectorEnv[FloatArray, IntArray, NDArray[Any]]):
    """Dialogues with simulated users, ``num_envs`` at a time.

    ## Description
    A user with a goal (constraints, questions, perhaps a booking) talks to the system through a noisy channel. Each
    step is one system turn and the user's answer.

    ## Action space
    ``MultiDiscrete`` of ``num_envs`` actions, named by ``action_names``. ``action_masks()`` (also
    ``info["action_mask"]``) says which make sense; a masked action raises ValueError.

    ## Observation space
    ``Box(0, 1)`` per dialogue: the belief vector of the chosen featurizer. It is a function of what the bot heard
    and did, never of the goal.

    ## Rewards
    -1 per turn, +20 at the end of a dialogue whose goal is fulfilled (``SimulationSettings.reward``).

    ## Episode end
    Terminated when the user hangs up or the system says goodbye; truncated after ``max_turns`` (25). Autoreset mode
    is SAME_STEP: the returned observation already belongs to the next dialogue, the last one of the finished
    dialogue is in ``infos["final_obs"]``, and ``infos["final_info"]`` holds ``success`` and ``turns``.

    ## Arguments
    ``ontology`` and ``task`` (default: a small built-in world), ``settings`` for everything else, ``featurizer``
    ``"belief"`` or ``"summary"``. ``reset(seed=s)`` seeds dialogue i with s + i.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}
    remembered: ClassVar[tuple[str, ...]] = ("simulation", "_masks", "_seeded")

    def __init__(
        self,
        num_envs: int = 1,
        ontology: Ontology | None = None,
        task: Task | None = None,
        settings: SimulationSettings | None = None,
        featurizer: str | Featurizer = "belief",
    ) -> None:
        self.num_envs = num_envs
        ontology, settings = resolve_world(ontology, task, settings)
        self.settings = settings
        self.simulation = DialogueSimulation(ontology, settings, [0] * num_envs)
        self._seeded = False
        self.featurizer = (
            build_featurizer(featurizer, ontology, settings.max_turns) if isinstance(featurizer, str) else featurizer
        )
        self.single_observation_space = gymnasium.spaces.Box(0.0, 1.0, (self.featurizer.size,), np.float32)
        self.single_action_space = gymnasium.spaces.Discrete(self.simulation.space.size)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._masks: BoolArray = self.simulation.masks()

    @classmethod
    def from_pydial(
        cls, ontology: str | Path, table: str | Path, env: int = 1, *, num_envs: int = 1, view: str = "belief"
    ) -> BenchmarkVectorEnv:
        """``num_envs`` dialogues of the PyDial benchmark's environment 1-6 for any domain given as its two files."""
        from simulator.pydial.env import BenchmarkVectorEnv

        return BenchmarkVectorEnv(num_envs, world=(ontology, table), env=env, view=view)

    @property
    def action_names(self) -> tuple[str, ...]:
        """(A,) what each action is called."""
        return self.simulation.space.names

    def action_masks(self) -> BoolArray:
        """(num_envs, A) the actions that make sense now; never an all-False row."""
        return self._masks.copy()

    def reset(self, *, seed: Seeds = None, options: dict[str, Any] | None = None) -> tuple[FloatArray, dict[str, Any]]:
        """Begin new dialogues everywhere; ``seed`` an int (dialogue i gets seed + i) or one int per dialogue."""
        rows = np.arange(self.num_envs, dtype=np.int32)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self.simulation.seed(rows, _spread(seed, self.num_envs))
            self._seeded = True
        self.simulation.reset(rows)
        return self._observe(), {"action_mask": self.action_masks()}

    def step(self, actions: IntArray) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """One system turn in each dialogue; finished ones begin anew in the same step."""
        actions = np.asarray(actions, dtype=np.int32)
        row = first_masked(actions, self._masks)
        if row is not None:
            raise ValueError(
                f"dialogue {row}: action {self.action_names[actions[row]]!r} is masked; choose among action_masks()"
            )
        outcome = self.simulation.step(actions)
        done = np.flatnonzero(outcome.done).astype(np.int32)
        infos: dict[str, Any] = {}
        if len(done):
            infos = self._final(outcome.done, outcome.fulfilled)
            self.simulation.reset(done)
        observations = self._observe()
        infos["action_mask"] = self.action_masks()
        return observations, outcome.reward, outcome.terminated, outcome.truncated, infos

    def state(self) -> State:
        """All dialogues, users and random streams as they are now, as named arrays (``policies.resume.Resumable``)."""
        return snapshot(self)

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on exactly where ``state`` was taken; KeyError when it is that of another kind of environment."""
        restore(self, state)

    def _final(self, done: BoolArray, fulfilled: BoolArray) -> dict[str, Any]:
        """Gymnasium's SAME_STEP infos about the dialogues that just ended."""
        final_obs = np.full(self.num_envs, None, dtype=object)
        last = self.featurizer(self.simulation.belief)
        for row in np.flatnonzero(done):
            final_obs[row] = last[row]
        details = {
            "success": fulfilled & done,
            "_success": done,
            "turns": np.where(done, self.simulation.belief.turn - 1, 0),
            "_turns": done,
        }
        return {"final_obs": final_obs, "_final_obs": done, "final_info": details, "_final_info": done}

    def _observe(self) -> FloatArray:
        self._masks = self.simulation.masks()
        return self.featurizer(self.simulation.belief)


def _spread(seed: int | Sequence[int], count: int) -> list[int]:
    if isinstance(seed, (int, np.integer)):
        return [int(seed) + i for i in range(count)]
    if len(seed) != count:
        raise ValueError(f"{len(seed)} seeds for {count} dialogues: give one int or one seed per dialogue")
    return [int(s) for s in seed]
