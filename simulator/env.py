"""One dialogue as a gymnasium environment: the vector environment's core with a batch of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from memory.ontology import BoolArray, Ontology
from memory.turn import FloatArray, system_act
from policies.featurizer import Featurizer, build_featurizer
from simulator.goal import Task
from simulator.simulation import DialogueSimulation, SimulationSettings
from simulator.user_turn import user_acts
from simulator.vector_env import resolve_world

if TYPE_CHECKING:
    from simulator.pydial.env import BenchmarkEnv

_ROW = np.zeros(1, dtype=np.int32)


class DialogueEnv(gymnasium.Env[FloatArray, np.int64]):
    """A dialogue with a simulated user; see ``DialogueVectorEnv`` for the task, spaces and rewards.

    ## Action space
    ``Discrete(A)``; ``action_masks()`` and ``info["action_mask"]`` say which actions make sense. A masked one is not
    an error here, so that generic agents can run: it is replaced by the first allowed action and reported in
    ``info["masked"]``.

    ## Info
    ``action_mask`` (A,) bool, ``turns``, ``masked``, and ``success`` once the dialogue has ended.

    ## Rendering
    ``render_mode="ansi"``: the transcript so far at act level, one line per turn.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}

    def __init__(
        self,
        ontology: Ontology | None = None,
        task: Task | None = None,
        settings: SimulationSettings | None = None,
        featurizer: str | Featurizer = "belief",
        render_mode: str | None = None,
    ) -> None:
        ontology, settings = resolve_world(ontology, task, settings)
        self.simulation = DialogueSimulation(ontology, settings, [0])
        self.featurizer = (
            build_featurizer(featurizer, ontology, settings.max_turns) if isinstance(featurizer, str) else featurizer
        )
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (self.featurizer.size,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(self.simulation.space.size)
        self._seeded = False
        self._transcript: list[str] = []

    @classmethod
    def from_pydial(
        cls,
        ontology: str | Path,
        table: str | Path,
        env: int = 1,
        *,
        view: str = "belief",
        render_mode: str | None = None,
    ) -> BenchmarkEnv:
        """Environment 1-6 of the PyDial benchmark for any domain given as its two files; needs ``rejoinder[train]``.

        DomainError names the file and slot that can't be used.
        """
        from simulator.pydial.env import BenchmarkEnv

        return BenchmarkEnv(world=(ontology, table), env=env, view=view, render_mode=render_mode)

    @property
    def action_names(self) -> tuple[str, ...]:
        """(A,) what each action is called."""
        return self.simulation.space.names

    def action_masks(self) -> BoolArray:
        """(A,) the actions that make sense now; never all False."""
        mask: BoolArray = self.simulation.masks()[0]
        return mask

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """A new user opens the dialogue; equal seeds give equal dialogues."""
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self.simulation.seed(_ROW, [seed])
            self._seeded = True
        self.simulation.reset(_ROW)
        self._transcript = [self._user_line()]
        return self._observe(), self._info(masked=False)

    def step(self, action: np.int64) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """One system turn and the user's answer."""
        masks = self.action_masks()
        masked = not masks[int(action)]
        chosen = int(np.argmax(masks)) if masked else int(action)
        outcome = self.simulation.step(np.array([chosen], dtype=np.int32))
        act = system_act(self.simulation.ontology, self.simulation.belief.last)
        said = [part for part in (act.slot, act.value, act.other, act.entity, *act.answered) if part]
        self._transcript += [f"system: {act.kind}({', '.join(said)})", self._user_line()]
        info = self._info(masked)
        if outcome.done[0]:
            info["success"] = bool(outcome.fulfilled[0])
        return self._observe(), float(outcome.reward[0]), bool(outcome.terminated[0]), bool(outcome.truncated[0]), info

    def render(self) -> Any:
        """The transcript so far in mode ``ansi``, else None."""
        return "\n".join(self._transcript) if self.render_mode == "ansi" else None

    def _observe(self) -> FloatArray:
        observation: FloatArray = self.featurizer(self.simulation.belief)[0]
        return observation

    def _info(self, masked: bool) -> dict[str, Any]:
        turns = int(self.simulation.belief.turn[0]) - 1
        return {"action_mask": self.action_masks(), "turns": turns, "masked": masked}

    def _user_line(self) -> str:
        acts = user_acts(self.simulation.ontology, self.simulation.user_turn)
        return "user: " + (" ".join(map(str, acts)) or "(silence)")
