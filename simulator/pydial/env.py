"""The benchmark environments for gymnasium: one dialogue, or thousands as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from simulator.pydial.dialogues import VIEWS, BenchmarkDialogues
from simulator.pydial.domain import Domain, load_domain
from simulator.pydial.settings import BenchmarkSettings, environment
from simulator.pydial.state import B8, F32, I32
from simulator.pydial.transcript import system_line, user_line

World = Domain | tuple[str | Path, str | Path]
"""A loaded domain, or the paths of its ontology and table."""


def open_world(world: World, env: int | BenchmarkSettings, seeds: Sequence[int]) -> BenchmarkDialogues:
    """The dialogues of a domain in environment 1-6 (or own settings); DomainError, ValueError for bad ones."""
    domain = world if isinstance(world, Domain) else load_domain(*world)
    return BenchmarkDialogues(domain, env if isinstance(env, BenchmarkSettings) else environment(env), seeds)


def _check_view(view: str) -> str:
    if view not in VIEWS:
        raise ValueError(f"unknown view {view!r}: use one of {', '.join(VIEWS)}")
    return view


class BenchmarkVectorEnv(VectorEnv[F32, I32, NDArray[Any]]):
    """``num_envs`` dialogues of a PyDial benchmark environment (Casanueva et al. 2017).

    ## Description
    A user wants an entity that satisfies constraints and asks about it; what they say arrives as an n-best list with
    errors; a focus tracker keeps the belief. Each step is one summary action and the user's answer. Dialogues begin
    with the system's hello and the user's first sentence.

    ## Action space
    ``MultiDiscrete``: request, confirm and select of each slot, inform, inform_byname, inform_alternatives, bye,
    repeat, reqmore, restart (``action_names``). ``action_masks()`` (also ``info["action_mask"]``) says which make
    sense; a masked action raises ValueError. In environments 2 and 4 only repeat and restart are masked.

    ## Observation space
    ``Box`` per dialogue. ``view="belief"``: PyDial's n_in numbers (CamRestaurants 268, SFRestaurants 636); ``"slots"``:
    general numbers and a description per slot that is alike in every domain; ``"nbest"``: what was just heard.

    ## Rewards
    -1 per user turn (the goodbye included), +20 at the end if all requests are answered and the entity fits the goal.

    ## Episode end
    Terminated by either side's goodbye, truncated after 25 turns. Autoreset mode is SAME_STEP: the returned
    observation belongs to the next dialogue, the last one is in ``infos["final_obs"]``, and ``infos["final_info"]``
    holds ``success`` and ``turns``.

    ## Arguments
    ``world``: a ``Domain`` or the paths of its two files; ``env`` 1-6. ``reset(seed=s)`` seeds dialogue i with s + i.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self, num_envs: int = 1, *, world: World, env: int | BenchmarkSettings = 1, view: str = "belief"
    ) -> None:
        self.num_envs = num_envs
        self.view = _check_view(view)
        self.dialogues = open_world(world, env, [0] * num_envs)
        self._seeded = False
        self.single_observation_space = gymnasium.spaces.Box(0.0, 1.0, (self.dialogues.size(view),), np.float32)
        self.single_action_space = gymnasium.spaces.Discrete(len(self.dialogues.names))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    @property
    def action_names(self) -> tuple[str, ...]:
        """(A,) what each action is called."""
        return self.dialogues.names

    def action_masks(self) -> B8:
        """(num_envs, A) the actions that make sense now; never an all-False row."""
        return self.dialogues.masks.copy()

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[F32, dict[str, Any]]:
        """Begin new dialogues everywhere; ``seed`` an int (dialogue i gets seed + i) or one int per dialogue."""
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self.dialogues.seed(self.dialogues.all_rows, _spread(seed, self.num_envs))
            self._seeded = True
        self.dialogues.reset(self.dialogues.all_rows)
        return self.dialogues.observe(self.view), {"action_mask": self.action_masks()}

    def step(self, actions: I32) -> tuple[F32, F32, B8, B8, dict[str, Any]]:
        """One action in each dialogue; finished ones begin anew in the same step."""
        actions = np.asarray(actions, dtype=np.int32)
        _refuse_masked(actions, self.dialogues)
        reward = self.dialogues.step(actions)
        over = self.dialogues.state.over.copy()
        truncated = over & (self.dialogues.state.turn > self.dialogues.settings.max_turns)
        done = np.flatnonzero(over)
        infos: dict[str, Any] = {}
        if len(done):
            infos = self._final(over, done)
            self.dialogues.reset(done)
        infos["action_mask"] = self.action_masks()
        return self.dialogues.observe(self.view), reward, over & ~truncated, truncated, infos

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that decides what happens next (``policies.resume.Resumable``)."""
        return {**self.dialogues.snapshot(), "seeded": np.array(self._seeded)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from ``state``; KeyError when it doesn't fit."""
        self.dialogues.restore(state)
        self._seeded = bool(state["seeded"])

    def _final(self, over: B8, done: NDArray[np.intp]) -> dict[str, Any]:
        """Gymnasium's SAME_STEP infos about the dialogues that just ended."""
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row, last in zip(done, self.dialogues.observe(self.view, done), strict=True):
            final_obs[row] = last
        details = {
            "success": self.dialogues.state.success & over,
            "_success": over,
            "turns": np.where(over, self.dialogues.turns(), 0),
            "_turns": over,
        }
        return {"final_obs": final_obs, "_final_obs": over, "final_info": details, "_final_info": over}


def _spread(seed: int | Sequence[int | None], count: int) -> list[int]:
    if isinstance(seed, (int, np.integer)):
        return [int(seed) + i for i in range(count)]
    if len(seed) != count or None in seed:
        raise ValueError(f"seeds {seed!r} for {count} dialogues: give one int or one int per dialogue")
    return [int(one) for one in seed if one is not None]


def _refuse_masked(actions: I32, dialogues: BenchmarkDialogues) -> None:
    names = dialogues.names
    if actions.shape != (len(dialogues.all_rows),) or ((actions < 0) | (actions >= len(names))).any():
        raise ValueError(f"actions must be {len(dialogues.all_rows)} integers from 0 to {len(names) - 1}")
    forbidden = ~dialogues.masks[dialogues.all_rows, actions]
    if forbidden.any():
        row = int(np.argmax(forbidden))
        raise ValueError(f"dialogue {row}: action {names[actions[row]]!r} is masked; choose among action_masks()")


class BenchmarkEnv(gymnasium.Env[F32, np.int64]):
    """One dialogue of a PyDial benchmark environment; see ``BenchmarkVectorEnv`` for spaces, rewards and arguments.

    A masked action is not an error here, so that generic agents can run: it is replaced by the first allowed action
    and reported in ``info["masked"]``. ``render_mode="ansi"`` shows the transcript.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 1}

    def __init__(
        self,
        *,
        world: World,
        env: int | BenchmarkSettings = 1,
        view: str = "belief",
        render_mode: str | None = None,
    ) -> None:
        self.view = _check_view(view)
        self.render_mode = render_mode
        self.dialogues = open_world(world, env, [0])
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (self.dialogues.size(view),), np.float32)
        self.action_space = gymnasium.spaces.Discrete(len(self.dialogues.names))
        self._seeded = False
        self._transcript: list[str] = []

    @property
    def action_names(self) -> tuple[str, ...]:
        """(A,) what each action is called."""
        return self.dialogues.names

    def action_masks(self) -> B8:
        """(A,) the actions that make sense now; never all False."""
        mask: B8 = self.dialogues.masks[0].copy()
        return mask

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[F32, dict[str, Any]]:
        """A new user answers the system's hello; equal seeds give equal dialogues."""
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self.dialogues.seed(self.dialogues.all_rows, [seed])
            self._seeded = True
        self.dialogues.reset(self.dialogues.all_rows)
        self._transcript = ["system: hello()", user_line(self.dialogues)]
        return self.dialogues.observe(self.view)[0], self._info(masked=False)

    def step(self, action: np.int64) -> tuple[F32, float, bool, bool, dict[str, Any]]:
        """One action and the user's answer."""
        mask = self.dialogues.masks[0]
        masked = not mask[int(action)]
        chosen = int(np.argmax(mask)) if masked else int(action)
        reward = float(self.dialogues.step(np.array([chosen], dtype=np.int32))[0])
        self._transcript += [system_line(self.dialogues), user_line(self.dialogues)]
        state = self.dialogues.state
        over = bool(state.over[0])
        truncated = over and int(state.turn[0]) > self.dialogues.settings.max_turns
        info = self._info(masked)
        if over:
            info["success"] = bool(state.success[0])
        return self.dialogues.observe(self.view)[0], reward, over and not truncated, truncated, info

    def render(self) -> str | None:
        """The transcript so far in mode ``ansi``, else None."""
        return "\n".join(self._transcript) if self.render_mode == "ansi" else None

    def _info(self, masked: bool) -> dict[str, Any]:
        return {"action_mask": self.action_masks(), "turns": int(self.dialogues.turns()[0]), "masked": masked}
