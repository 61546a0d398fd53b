"""What recorded conversations say about policies: the log as learners read it, and estimates before anybody is served.

The conversations come from the event log by way of ``bot.learning.experience``, which recomputes features and masks
as the policy saw them. Half of the dialogues train an offline policy, the other half judge it and the served one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.learning.experience import RealDialogue
from memory.turn import FloatArray
from policies.episodes import Log

if TYPE_CHECKING:
    from policies.off_policy import FQEConfig
    from policies.offline import CQLConfig
    from policies.train import Progress

Values = Callable[[FloatArray], FloatArray]
"""Features (N, n_in) to action values (N, A); the policy takes the best allowed action."""


def log_of(dialogues: Iterable[RealDialogue]) -> Log:
    """The decisions of finished dialogues, one dialogue after the other; those without any are left out.

    What was done was allowed when it was done, also where other thresholds would mask it now. ValueError when nothing
    is left.
    """
    decided = [dialogue.steps for dialogue in dialogues if dialogue.steps]
    steps = [step for dialogue in decided for step in dialogue]
    if not steps:
        raise ValueError("no finished dialogue has a decision of the task's policy")
    actions = np.array([step.action for step in steps], dtype=np.int32)
    masks = np.stack([step.mask for step in steps])
    masks[np.arange(len(steps)), actions] = True
    done = np.zeros(len(steps), dtype=np.bool_)
    done[np.cumsum([len(dialogue) for dialogue in decided]) - 1] = True
    return Log(
        features=np.stack([step.features for step in steps]),
        masks=masks,
        actions=actions,
        rewards=np.array([step.reward for step in steps], dtype=np.float32),
        done=done,
        propensity=np.array([step.propensity for step in steps], dtype=np.float32),
    )


def judge_log(
    log: Log,
    served: Values,
    cql: CQLConfig,
    fqe: FQEConfig,
    *,
    training_share: float = 0.5,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on a share of the dialogues and estimate, from the others, what each policy would earn a dialogue.

    ``policies`` maps ``logged`` (whoever decided), ``served`` and ``offline`` to ``importance`` and ``fitted_q``
    estimates (mean, low, high, effective; None where the log can't say) and ``agreement``, the share of logged
    decisions that the policy would have taken as well. ValueError when there are too few dialogues to split.
    """
    from policies.dqn import network_values
    from policies.off_policy import greedy_probabilities
    from policies.offline import train_cql

    training, held_out = log.split(training_share, np.random.default_rng(cql.seed))
    learned = train_cql(training, cql, progress=progress)
    rows = np.arange(len(held_out))
    logged = np.zeros(held_out.masks.shape, dtype=np.float32)
    logged[rows, held_out.actions] = held_out.propensity
    targets = {
        "logged": logged,
        "served": greedy_probabilities(served(held_out.features), held_out.masks),
        "offline": greedy_probabilities(network_values(learned.network, held_out.features), held_out.masks),
    }
    return {
        "dialogues": {"training": len(training.starts), "held_out": len(held_out.starts)},
        "decisions": len(log),
        "interrupted": learned.interrupted,
        "policies": {name: _estimates(held_out, target, fqe, name) for name, target in targets.items()},
    }


def _estimates(log: Log, target: FloatArray, fqe: FQEConfig, name: str) -> dict[str, Any]:
    from policies.off_policy import fitted_q_estimate, importance_estimate

    agreement = float(target[np.arange(len(log)), log.actions].mean())
    try:
        importance = asdict(importance_estimate(log, target))
    except ValueError:  # nobody in the log acted like this policy to a dialogue's end
        importance = None
    # of the decisions that were made the log itself knows the outcome: no network need be believed
    fitted = None if name == "logged" else asdict(fitted_q_estimate(log, target, fqe))
    return {"importance": importance, "fitted_q": fitted, "agreement": agreement}
