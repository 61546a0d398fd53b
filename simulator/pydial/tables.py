"""A domain and an environment compiled to arrays: the constants that the simulator's inner loops read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from simulator.pydial.domain import DONTCARE, UNAVAILABLE, Domain
from simulator.pydial.settings import NBEST, BenchmarkSettings, UserRanges

USER_ACTS = (
    "hello", "thankyou", "ack", "bye", "inform", "request", "reqalts", "reqmore", "confirm", "affirm", "negate",
    "deny", "repeat", "null",
)  # fmt: skip
(HELLO, THANKYOU, ACK, BYE, INFORM, REQUEST, REQALTS, REQMORE, CONFIRM, AFFIRM, NEGATE, DENY, REPEAT, NULL) = range(14)
(S_HELLO, S_REQUEST, S_CONFIRM, S_SELECT, S_INFORM, S_REQMORE, S_BYE, S_NULL) = range(8)
"""System acts. Inform offers an entity by name (or says that none fits) and tells the values of some slots."""
ARGUMENTS = np.array([0, 0, 0, 0, 2, 1, 2, 0, 2, 2, 2, 3, 0, 0], dtype=np.int64)
"""How many arguments a confused act of each type gets: none, a slot, a slot with a value, or (3) none either."""

PROBABILITIES = tuple(field.name for field in fields(UserRanges))
CONFUSIONS, SOFTENING = 6, 0.15
"""Words are mistaken for one of their 6 nearest by edit distance, with weight 1/distance normalised + 0.15."""

METHODS = ("none", "byconstraints", "byname", "finished", "byalternatives", "restart")
DISCOURSE_ACTS = ("ack", "hello", "none", "repeat", "silence", "thankyou")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bits = NDArray[np.uint64]


class Tables(NamedTuple):
    """Constants of one domain in one environment.

    Slots have ids: the requestable ones first (R of them), then other informable ones, then ``type_slot``.
    ``inform_of`` and ``system_of`` give a slot's position among the informable (I) and system-requestable (S) slots
    or -1. A value of informable slot k is 0..size[k]-1, ``dontcare`` is size[k], larger ones occur in the table only.
    The belief is one vector: per informable slot its values, none, dontcare, from ``offset[k]`` on.
    ``bits[bit_row[k] + v]`` is the set of entities with value v.
    """

    requestable: int
    type_slot: int
    name_slot: int
    near_slot: int
    name: int
    inform_of: Ints
    system_of: Ints
    system_of_inform: Ints
    system_slot: Ints
    system_inform: Ints
    size: Ints
    offset: Ints
    threshold: Floats
    discriminates: NDArray[np.bool_]
    entity_value: Ints
    first_entity: Ints
    unavailable: Ints
    bit_row: Ints
    bits: Bits
    all_bits: Bits
    act_near: Ints
    act_share: Floats
    slot_near: Ints
    slot_share: Floats
    value_row: Ints
    value_near: Ints
    value_share: Floats
    low: Floats
    high: Floats
    patience: Ints
    error_rate: float
    noisy: bool
    length: Floats
    position: Floats
    mean: Floats
    deviation: Floats
    masks: bool
    max_turns: int
    max_inform_slots: int
    inform_accepted: int
    success_reward: float


def build_tables(domain: Domain, settings: BenchmarkSettings) -> Tables:
    """Compile ``domain`` and ``settings``."""
    slots, informable = domain.slots, tuple(domain.informable)
    system = tuple(sorted(domain.system_requestable))
    values = [_values(domain, slot) for slot in informable]
    size = np.array([len(known) for known in values], dtype=np.int64)
    entity_value, unavailable, ids = _entity_values(domain, informable, values)
    counts = [len(known) for known in ids]
    bit_row = np.concatenate([[0], np.cumsum(counts)])[:-1]
    name = informable.index("name")
    system_inform = np.array([informable.index(slot) for slot in system], dtype=np.int64)
    return Tables(
        requestable=len(domain.requestable),
        type_slot=len(slots),
        name_slot=slots.index("name"),
        near_slot=slots.index("near") if "near" in system else -1,
        name=name,
        inform_of=np.array([_index(informable, slot) for slot in (*slots, "type")], dtype=np.int64),
        system_of=np.array([_index(system, slot) for slot in (*slots, "type")], dtype=np.int64),
        system_of_inform=np.array([_index(system, slot) for slot in informable], dtype=np.int64),
        system_slot=np.array([slots.index(slot) for slot in system], dtype=np.int64),
        system_inform=system_inform,
        size=size,
        offset=np.concatenate([[0], np.cumsum(size + 2)]),
        threshold=np.asarray(1.0 / (size[system_inform] - 0.1), dtype=np.float64),
        discriminates=np.array([slot not in ("name", "price") for slot in informable]),
        entity_value=entity_value,
        first_entity=_first_entities(entity_value[:, name], int(size[name])),
        unavailable=unavailable,
        bit_row=bit_row,
        bits=_bitsets(entity_value, bit_row, int(sum(counts))),
        all_bits=_bitsets(np.zeros((len(domain.entities), 1), dtype=np.int64), np.array([0]), 1)[0],
        **_confusions(domain, informable, values, system),
        **_behaviour(settings),
    )


def value_names(domain: Domain) -> list[tuple[str, ...]]:
    """What each value id of each informable slot means: the listed values, ``dontcare``, then others of the table."""
    informable = tuple(domain.informable)
    return _entity_values(domain, informable, [_values(domain, slot) for slot in informable])[2]


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -1


def _values(domain: Domain, slot: str) -> tuple[str, ...]:
    """A slot's values; names that only the table knows are added."""
    known = domain.informable[slot]
    if slot != "name":
        return known
    return tuple(dict.fromkeys([*known, *(row["name"] for row in domain.entities)]))


def _entity_values(
    domain: Domain, informable: Sequence[str], values: Sequence[Sequence[str]]
) -> tuple[Ints, Ints, list[tuple[str, ...]]]:
    """(E, I) value ids, (I,) the id that means "not available" or -1, and what each slot's ids mean."""
    table = np.zeros((len(domain.entities), len(informable)), dtype=np.int64)
    unavailable = np.full(len(informable), -1, dtype=np.int64)
    known = []
    for k, slot in enumerate(informable):
        ids = {value: v for v, value in enumerate((*values[k], DONTCARE))}
        for e, row in enumerate(domain.entities):
            value = row.get(slot, "")
            value = UNAVAILABLE[0] if value in UNAVAILABLE else value
            table[e, k] = ids.setdefault(value, len(ids))
        unavailable[k] = ids.get(UNAVAILABLE[0], -1)
        known.append(tuple(ids))
    return table, unavailable, known


def _first_entities(name_of: Ints, count: int) -> Ints:
    """(N,) the first row of the table with each name, -1 for a name without one."""
    first = np.full(count, -1, dtype=np.int64)
    for e in range(len(name_of) - 1, -1, -1):
        first[name_of[e]] = e
    return first


def _bitsets(entity_value: Ints, bit_row: Ints, rows: int) -> Bits:
    words = (len(entity_value) + 63) // 64
    bits = np.zeros((rows, words), dtype=np.uint64)
    for e, row in enumerate(entity_value):
        for k, value in enumerate(row):
            bits[bit_row[k] + value, e // 64] |= np.uint64(1) << np.uint64(e % 64)
    return bits


def _nearest(words: Sequence[str], forbidden: str | None = None) -> tuple[Ints, Floats]:
    """(n, 6) each word's nearest others and the cumulative shares with which it is taken for them."""
    near = np.zeros((len(words), CONFUSIONS), dtype=np.int64)
    share = np.ones((len(words), CONFUSIONS))
    if len(words) < 2:
        return near, share
    distance = cdist(words, words, scorer=Levenshtein.distance).astype(np.float64)
    np.fill_diagonal(distance, -1.0)
    for i in range(len(words)):
        order = np.argsort(distance[i], kind="stable")[1 : CONFUSIONS + 1]
        weight = 1.0 / np.maximum(distance[i, order], 1.0)
        weight = weight / weight.sum() + SOFTENING
        kept = np.array([words[j] != forbidden for j in order])
        if kept.any():
            order, weight = order[kept], weight[kept]
        near[i, : len(order)] = order
        near[i, len(order) :] = order[-1]
        share[i, : len(order)] = np.cumsum(weight) / weight.sum()
        share[i, len(order) - 1 :] = 1.0
    return near, share


def _confusions(
    domain: Domain, informable: Sequence[str], values: Sequence[Sequence[str]], system: Sequence[str]
) -> dict[str, Any]:
    act_near, act_share = _nearest(USER_ACTS)
    slot_near, slot_share = _nearest(domain.requestable, forbidden="name")
    row, nears, shares = np.full(len(informable), -1, dtype=np.int64), [], []
    start = 0
    for k, slot in enumerate(informable):
        if slot == "name" or slot in system:
            near, share = _nearest((*values[k], DONTCARE))
            row[k], start = start, start + len(near)
            nears.append(near)
            shares.append(share)
    return {
        "act_near": act_near, "act_share": act_share, "slot_near": slot_near, "slot_share": slot_share,
        "value_row": row, "value_near": np.concatenate(nears), "value_share": np.concatenate(shares),
    }  # fmt: skip


def _behaviour(settings: BenchmarkSettings) -> dict[str, Any]:
    ranges = np.array(astuple(settings.users))
    errors = settings.errors
    shape = (2, NBEST + 1)
    length, mean, deviation = np.ones(shape), np.ones(shape), np.zeros(shape)
    position = np.ones(NBEST + 1)
    if errors is not None:
        length = np.array([_cumulative(errors.correct_length), _cumulative(errors.wrong_length)])
        mean = np.array([errors.correct_mean, errors.wrong_mean])
        deviation = np.sqrt(np.array([errors.correct_variance, errors.wrong_variance]))
        position = _cumulative(errors.wrong_position)
    return {
        "low": ranges[:, 0].copy(), "high": ranges[:, 1].copy(),
        "patience": np.array(settings.patience, dtype=np.int64),
        "error_rate": float(settings.error_rate), "noisy": errors is not None,
        "length": length, "position": position, "mean": mean, "deviation": deviation,
        "masks": settings.masks, "max_turns": settings.max_turns, "max_inform_slots": settings.max_inform_slots,
        "inform_accepted": settings.inform_accepted, "success_reward": float(settings.success_reward),
    }  # fmt: skip


def _cumulative(shares: Sequence[float]) -> Floats:
    total = np.cumsum(np.array(shares))
    cumulative: Floats = total / total[-1]
    return cumulative
