"""What the compiled environments share: one dialogue, or thousands as arrays, behind gymnasium's interfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from simulator.jit import B8, F32, I32, Rows


class Dialogues(Protocol):
    """B dialogues as arrays."""

    names: tuple[str, ...]
    masks: B8
    all_rows: Rows

    def seed(self, rows: Rows, seeds: Sequence[int]) -> None:
        """Restart the randomness of ``rows``; takes effect at their next reset."""
        ...

    def reset(self, rows: Rows) -> None:
        """Begin new dialogues in ``rows``."""
        ...

    def step(self, actions: I32) -> F32:
        """(B,) rewards of one system act each; dialogues that are over stay as they are."""
        ...

    def ends(self) -> tuple[B8, B8, B8]:
        """(B,) terminated, truncated, and successful."""
        ...

    def turns(self) -> I32:
        """(B,) turns so far."""
        ...

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of everything that changes."""
        ...

    def restore(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Put back what ``snapshot`` took; KeyError for what doesn't fit."""
        ...


class Observer(Protocol):
    """(len(rows), n_in) what a policy may look at."""

    def __call__(self, rows: Rows) -> F32:
        """Observe ``rows``."""
        ...


def snapshot_arrays(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Copies by name."""
    return {name: array.copy() for name, array in arrays.items()}


def restore_arrays(arrays: Mapping[str, NDArray[Any]], saved: Mapping[str, NDArray[Any]]) -> None:
    """Write ``saved`` into ``arrays``; KeyError for what is missing or has another shape."""
    for name, array in arrays.items():
        if saved[name].shape != array.shape:
            raise KeyError(f"{name} has shape {saved[name].shape}, these dialogues have {array.shape}")
        array[...] = saved[name]


class ArrayVectorEnv(VectorEnv[F32, I32, NDArray[Any]]):
    """Many dialogues; SAME_STEP autoreset, masked actions raise ValueError.

    The returned observation of a finished dialogue already belongs to the next one; its last is in
    ``infos["final_obs"]``, and ``infos["final_info"]`` holds ``success`` and ``turns``.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, dialogues: Dialogues, observe: Observer, space: gymnasium.Space[F32]) -> None:
        self.num_envs = len(dialogues.all_rows)
        self._core, self._observe, self._seeded = dialogues, observe, False
        self.single_observation_space = space
        self.single_action_space = gymnasium.spaces.Discrete(len(dialogues.names))
        self.observation_space = batch_space(space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    @property
    def action_names(self) -> tuple[str, ...]:
        """(A,) what each action is called."""
        return self._core.names

    def action_masks(self) -> B8:
        """(num_envs, A) the actions that make sense now; never an all-False row."""
        return self._core.masks.copy()

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[F32, dict[str, Any]]:
        """Begin new dialogues everywhere; ``seed`` an int (dialogue i gets seed + i) or one int per dialogue."""
        core = self._core
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            core.seed(core.all_rows, _spread(seed, self.num_envs))
            self._seeded = True
        core.reset(core.all_rows)
        return self._observe(core.all_rows), {"action_mask": self.action_masks()}

    def step(self, actions: I32) -> tuple[F32, F32, B8, B8, dict[str, Any]]:
        """One action in each dialogue; finished ones begin anew in the same step."""
        actions = np.asarray(actions, dtype=np.int32)
        _refuse_masked(actions, self._core)
        reward = self._core.step(actions)
        terminated, truncated, success = self._core.ends()
        over = terminated | truncated
        done = np.flatnonzero(over)
        infos: dict[str, Any] = {}
        if len(done):
            infos = self._final(over, done, success)
            self._core.reset(done)
        infos["action_mask"] = self.action_masks()
        return self._observe(self._core.all_rows), reward, terminated, truncated, infos

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that decides what happens next (``policies.resume.Resumable``)."""
        return {**self._core.snapshot(), "seeded": np.array(self._seeded)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from ``state``; KeyError when it doesn't fit."""
        self._core.restore(state)
        self._seeded = bool(state["seeded"])

    def _final(self, over: B8, done: Rows, success: B8) -> dict[str, Any]:
        """Gymnasium's SAME_STEP infos about the dialogues that just ended."""
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row, last in zip(done, self._observe(done), strict=True):
            final_obs[row] = last
        turns = np.where(over, self._core.turns(), 0)
        details = {"success": success & over, "_success": over, "turns": turns, "_turns": over}
        return {"final_obs": final_obs, "_final_obs": over, "final_info": details, "_final_info": over}


def _spread(seed: int | Sequence[int | None], count: int) -> list[int]:
    if isinstance(seed, (int, np.integer)):
        return [int(seed) + i for i in range(count)]
    if len(seed) != count or None in seed:
        raise ValueError(f"seeds {seed!r} for {count} dialogues: give one int or one int per dialogue")
    return [int(one) for one in seed if one is not None]


def _refuse_masked(actions: I32, core: Dialogues) -> None:
    names = core.names
    if actions.shape != (len(core.all_rows),) or ((actions < 0) | (actions >= len(names))).any():
        raise ValueError(f"actions must be {len(core.all_rows)} integers from 0 to {len(names) - 1}")
    forbidden = ~core.masks[core.all_rows, actions]
    if forbidden.any():
        row = int(np.argmax(forbidden))
        raise ValueError(f"dialogue {row}: action {names[actions[row]]!r} is masked; choose among action_masks()")


class ArrayEnv(gymnasium.Env[F32, np.int64]):
    """One dialogue. A masked action is not an error here, so that generic agents can run: it is replaced by the first
    allowed action and reported in ``info["masked"]``. ``render_mode="ansi"`` shows the transcript."""

    metadata = {"render_modes": ["ansi"], "render_fps": 1}

    def __init__(
        self, dialogues: Dialogues, observe: Observer, space: gymnasium.Space[F32], render_mode: str | None
    ) -> None:
        self._core, self._observe, self._seeded = dialogues, observe, False
        self.render_mode = render_mode
        self.observation_space = space
        self.action_space = gymnasium.spaces.Discrete(len(dialogues.names))
        self._transcript: list[str] = []

    @property
    def action_names(self) -> tuple[str, ...]:
        """(A,) what each action is called."""
        return self._core.names

    def action_masks(self) -> B8:
        """(A,) the actions that make sense now; never all False."""
        mask: B8 = self._core.masks[0].copy()
        return mask

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[F32, dict[str, Any]]:
        """A new dialogue; equal seeds give equal dialogues."""
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            self._core.seed(self._core.all_rows, [seed])
            self._seeded = True
        self._core.reset(self._core.all_rows)
        self._transcript = self.opening()
        return self._observe(self._core.all_rows)[0], self._info(masked=False)

    def step(self, action: np.int64) -> tuple[F32, float, bool, bool, dict[str, Any]]:
        """One action and the user's answer; ValueError for no such action."""
        if not 0 <= int(action) < len(self.action_names):
            raise ValueError(f"action {action}: give an integer from 0 to {len(self.action_names) - 1}")
        mask = self._core.masks[0]
        masked = not mask[int(action)]
        chosen = int(np.argmax(mask)) if masked else int(action)
        reward = float(self._core.step(np.array([chosen], dtype=np.int32))[0])
        self._transcript += self.exchange()
        terminated, truncated, success = (bool(flags[0]) for flags in self._core.ends())
        info = self._info(masked)
        if terminated or truncated:
            info["success"] = success
        return self._observe(self._core.all_rows)[0], reward, terminated, truncated, info

    def render(self) -> Any:
        """The transcript so far in mode ``ansi``, else None."""
        return "\n".join(self._transcript) if self.render_mode == "ansi" else None

    def opening(self) -> list[str]:
        """How the dialogue began, a line per act."""
        raise NotImplementedError

    def exchange(self) -> list[str]:
        """The last act of the system and the user's answer."""
        raise NotImplementedError

    def _info(self, masked: bool) -> dict[str, Any]:
        return {"action_mask": self.action_masks(), "turns": int(self._core.turns()[0]), "masked": masked}
