"""The six benchmark environments as settings (Casanueva et al. 2017; figures of PyDial 3's configuration)."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class UserRanges:
    """Each person's probabilities are drawn uniformly from these ranges at the start of a dialogue (`sampledUM`)."""

    inform_combination: Range = (0.2, 0.7)
    affirm_combination: Range = (0.2, 0.7)
    add_slot_to_request: Range = (0.2, 0.4)
    no_after_reqmore: Range = (0.8, 0.9)
    yes_after_reqmore: Range = (0.2, 0.3)
    greeting: Range = (0.3, 0.7)
    constraint_relax: Range = (0.5, 0.8)
    tell_about_change: Range = (0.4, 0.6)
    deal_with_pending: Range = (0.4, 0.6)
    add_name_to_request: Range = (0.01, 0.2)
    no_slot_with_dontcare: Range = (0.7, 0.9)
    inform_to_confirm: Range = (0.01, 0.2)
    affirm_with_agenda_item: Range = (0.01, 0.2)
    overrule_correction: Range = (0.01, 0.2)
    confirm_random_constraint: Range = (0.01, 0.3)
    alternatives_first: Range = (0.01, 0.3)
    change_first: Range = (0.01, 0.3)
    new_request_repeat: Range = (0.1, 0.4)
    new_request_dontcare: Range = (0.1, 0.4)
    correct_by_negate: Range = (0.3, 0.5)
    correct_by_deny: Range = (0.3, 0.5)
    thank: Range = (0.01, 0.2)
    acknowledge: Range = (0.01, 0.2)


SAMPLED = UserRanges()
UNFRIENDLY = UserRanges(
    inform_combination=(0.0, 0.4),
    affirm_combination=(0.0, 0.4),
    greeting=(0.1, 0.4),
    constraint_relax=(0.2, 0.5),
    tell_about_change=(0.2, 0.4),
)
"""`unfriendlyUM`: people say little per turn and change their minds silently."""

NBEST = 5
"""Longest n-best list."""

Six = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class ErrorProfile:
    """Semantic errors with the statistics of DSTC2.

    Lengths of n-best lists (the sixth share is "longer", cut to 5), positions of the true act when it isn't first
    (the sixth share: it is not in the list), and mean and variance of the scores by position (the sixth: each of the
    unused positions beyond the fifth).
    """

    correct_mean: Six
    correct_variance: Six
    wrong_mean: Six
    wrong_variance: Six
    correct_length: Six
    wrong_length: Six
    wrong_position: Six


SET_1 = ErrorProfile(
    correct_mean=(0.871, 0.103, 0.045, 0.032, 0.027, 0.049),
    correct_variance=(0.029, 0.010, 0.002, 0.001, 0.0, 0.001),
    wrong_mean=(0.757, 0.179, 0.077, 0.048, 0.037, 0.065),
    wrong_variance=(0.052, 0.014, 0.003, 0.001, 0.001, 0.002),
    correct_length=(0.264, 0.215, 0.138, 0.099, 0.080, 0.204),
    wrong_length=(0.300, 0.068, 0.085, 0.072, 0.079, 0.396),
    wrong_position=(0.0, 0.179, 0.063, 0.027, 0.017, 0.714),
)
SET_3 = ErrorProfile(
    correct_mean=(0.905, 0.101, 0.017, 0.008, 0.005, 0.010),
    correct_variance=(0.016, 0.013, 0.002, 0.001, 0.0, 0.001),
    wrong_mean=(0.871, 0.164, 0.065, 0.043, 0.030, 0.054),
    wrong_variance=(0.029, 0.020, 0.005, 0.002, 0.001, 0.003),
    correct_length=(0.147, 0.430, 0.212, 0.147, 0.048, 0.016),
    wrong_length=(0.351, 0.388, 0.158, 0.071, 0.020, 0.012),
    wrong_position=(0.0, 0.116, 0.027, 0.007, 0.002, 0.848),
)


@dataclass(frozen=True, slots=True)
class BenchmarkSettings:
    """One environment: how often the true act is not the first hypothesis, how that looks, who talks, which masks.

    ``errors`` None: the true act always arrives alone with probability 1. ``patience``: drawn uniformly from these
    (both included). ``max_inform_slots``: at most so many slots are told at once; ``inform_accepted``: so many
    accepted slots allow informing although a further question could narrow the search.
    """

    error_rate: float = 0.0
    errors: ErrorProfile | None = None
    users: UserRanges = SAMPLED
    masks: bool = True
    patience: tuple[int, int] = (4, 5)
    max_turns: int = 25
    max_inform_slots: int = 5
    inform_accepted: int = 4
    success_reward: float = 20.0


ENVIRONMENTS = {
    1: BenchmarkSettings(),
    2: BenchmarkSettings(masks=False),
    3: BenchmarkSettings(0.15, SET_1),
    4: BenchmarkSettings(0.15, SET_1, masks=False),
    5: BenchmarkSettings(0.15, SET_1, users=UNFRIENDLY),
    6: BenchmarkSettings(0.30, SET_3),
}


def environment(env: int) -> BenchmarkSettings:
    """The settings of environment 1-6; ValueError for another number."""
    if env not in ENVIRONMENTS:
        raise ValueError(f"the benchmark has no environment {env!r}: use one of {', '.join(map(str, ENVIRONMENTS))}")
    return ENVIRONMENTS[env]
