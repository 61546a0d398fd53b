"""Test functions with known minima on which tuners are compared (NumPy only).

Definitions and domains: Surjanovic & Bingham, Virtual Library of Simulation Experiments (2013); the choice follows
Dewancker et al., "A Stratified Analysis of Bayesian Optimization Methods" (arXiv:1603.09441): several dimensions,
many and few local minima, boundaries, plateaus and steps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NOISE = 0.1
"""Standard deviation of the noisy variants, as a share of the function's own deviation over its domain."""


@dataclass(frozen=True)
class Surface:
    """A function to be minimised: ``value`` of an array (D,) in the box from ``low`` to ``high``, least ``minimum``.

    ``at`` is a point where the minimum is reached.
    """

    name: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    value: Callable[[Array], float]
    minimum: float
    at: tuple[float, ...]

    @property
    def dims(self) -> int:
        """How many numbers the function takes."""
        return len(self.low)

    @functools.cached_property
    def spread(self) -> float:
        """Standard deviation of the function over 2,000 uniform points of its domain, always the same ones."""
        points = np.random.default_rng(0).uniform(self.low, self.high, size=(2000, self.dims))
        return float(np.std([self.value(point) for point in points]))


def _branin(x: Array) -> float:
    a, b = x
    tall = (b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2
    return float(tall + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10)


def _ackley(x: Array) -> float:
    far = -20 * np.exp(-0.2 * np.sqrt(np.mean(x**2)))
    return float(far - np.exp(np.mean(np.cos(2 * np.pi * x))) + 20 + np.e)


def _rosenbrock(x: Array) -> float:
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


_HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_WIDTHS_3 = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
_CENTRES_3 = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])
_WIDTHS_6 = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_CENTRES_6 = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
    ]
)  # fmt: skip


def _hartmann(x: Array) -> float:
    widths, centres = (_WIDTHS_3, _CENTRES_3) if len(x) == 3 else (_WIDTHS_6, _CENTRES_6)
    return -float(_HEIGHTS @ np.exp(-np.sum(widths * (x - centres) ** 2, axis=1)))


def _levy(x: Array) -> float:
    w = 1 + (x - 1) / 4
    inner = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2))
    return float(np.sin(np.pi * w[0]) ** 2 + inner + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2))


def _rastrigin(x: Array) -> float:
    return float(10 * len(x) + np.sum(x**2 - 10 * np.cos(2 * np.pi * x)))


def _griewank(x: Array) -> float:
    return float(1 + np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(np.arange(1, len(x) + 1)))))


def _michalewicz(x: Array) -> float:
    return -float(np.sum(np.sin(x) * np.sin(np.arange(1, len(x) + 1) * x**2 / np.pi) ** 20))


def _styblinski_tang(x: Array) -> float:
    return float(np.sum(x**4 - 16 * x**2 + 5 * x) / 2)


def _schwefel(x: Array) -> float:
    return float(418.9828872724338 * len(x) - np.sum(x * np.sin(np.sqrt(np.abs(x)))))


def _six_hump_camel(x: Array) -> float:
    a, b = x
    return float((4 - 2.1 * a**2 + a**4 / 3) * a**2 + a * b + (-4 + 4 * b**2) * b**2)


def _beale(x: Array) -> float:
    a, b = x
    return float((1.5 - a + a * b) ** 2 + (2.25 - a + a * b**2) ** 2 + (2.625 - a + a * b**3) ** 2)


def _bukin(x: Array) -> float:
    a, b = x
    return float(100 * np.sqrt(np.abs(b - 0.01 * a**2)) + 0.01 * np.abs(a + 10))


def _step(x: Array) -> float:
    return float(np.sum(np.floor(x + 0.5) ** 2))


def _cube(
    name: str, dims: int, low: float, high: float, value: Callable[[Array], float], minimum: float, at: float
) -> Surface:
    return Surface(f"{name} {dims}", (low,) * dims, (high,) * dims, value, minimum, (at,) * dims)


SURFACES: tuple[Surface, ...] = (
    Surface("branin", (-5, 0), (10, 15), _branin, 0.39788735772973816, (np.pi, 2.275)),
    Surface("six-hump camel", (-3, -2), (3, 2), _six_hump_camel, -1.0316284534898774, (0.0898420131, -0.7126564030)),
    Surface("beale", (-4.5, -4.5), (4.5, 4.5), _beale, 0.0, (3, 0.5)),
    Surface("bukin 6", (-15, -3), (-5, 3), _bukin, 0.0, (-10, 1)),
    Surface(
        "hartmann 3", (0,) * 3, (1,) * 3, _hartmann, -3.86277978733, (0.1145890, 0.5556489, 0.8525470),
    ),
    Surface(
        "hartmann 6", (0,) * 6, (1,) * 6, _hartmann, -3.32236801,
        (0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054),
    ),
    Surface("michalewicz 2", (0, 0), (np.pi, np.pi), _michalewicz, -1.8013034101, (2.2029055, 1.5707963)),
    _cube("ackley", 5, -15, 30, _ackley, 0.0, 0.0),
    _cube("rosenbrock", 4, -5, 10, _rosenbrock, 0.0, 1.0),
    _cube("levy", 3, -10, 10, _levy, 0.0, 1.0),
    _cube("rastrigin", 2, -5.12, 5.12, _rastrigin, 0.0, 0.0),
    _cube("griewank", 3, -600, 600, _griewank, 0.0, 0.0),
    _cube("styblinski-tang", 4, -5, 5, _styblinski_tang, -39.16616570377142 * 4, -2.903534),
    _cube("schwefel", 2, -500, 500, _schwefel, 0.0, 420.968746),
    _cube("step", 4, -10, 10, _step, 0.0, 0.0),
)  # fmt: skip
"""All test functions; each is met without and with noise."""
