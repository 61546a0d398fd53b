"""The benchmark environments for gymnasium: one dialogue, or thousands as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np

from simulator.array_env import ArrayEnv, ArrayVectorEnv
from simulator.jit import F32
from simulator.pydial.dialogues import VIEWS, BenchmarkDialogues
from simulator.pydial.domain import Domain, load_domain
from simulator.pydial.settings import BenchmarkSettings, environment
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


def _space(dialogues: BenchmarkDialogues, view: str) -> gymnasium.Space[F32]:
    return gymnasium.spaces.Box(0.0, 1.0, (dialogues.size(view),), np.float32)


class BenchmarkVectorEnv(ArrayVectorEnv):
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

    def __init__(
        self, num_envs: int = 1, *, world: World, env: int | BenchmarkSettings = 1, view: str = "belief"
    ) -> None:
        self.view = _check_view(view)
        self.dialogues = open_world(world, env, [0] * num_envs)
        super().__init__(self.dialogues, partial(self.dialogues.observe, view), _space(self.dialogues, view))


class BenchmarkEnv(ArrayEnv):
    """One dialogue of a PyDial benchmark environment; see ``BenchmarkVectorEnv`` for spaces, rewards and arguments.

    A masked action is not an error here, so that generic agents can run: it is replaced by the first allowed action
    and reported in ``info["masked"]``. ``render_mode="ansi"`` shows the transcript.
    """

    def __init__(
        self,
        *,
        world: World,
        env: int | BenchmarkSettings = 1,
        view: str = "belief",
        render_mode: str | None = None,
    ) -> None:
        self.view = _check_view(view)
        self.dialogues = open_world(world, env, [0])
        super().__init__(
            self.dialogues, partial(self.dialogues.observe, view), _space(self.dialogues, view), render_mode
        )

    def opening(self) -> list[str]:
        """The system's hello and the user's first sentence."""
        return ["system: hello()", user_line(self.dialogues)]

    def exchange(self) -> list[str]:
        """The last act of the system and the user's answer."""
        return [system_line(self.dialogues), user_line(self.dialogues)]
