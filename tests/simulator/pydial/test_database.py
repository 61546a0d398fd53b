from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.pydial.database import count, discriminable, has, nth, restrict
from simulator.pydial.domain import load_domain
from simulator.pydial.settings import environment
from simulator.pydial.tables import Tables, build_tables
from tests.simulator.pydial.worlds import write


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder: Path = tmp_path_factory.mktemp("hats")
    return build_tables(load_domain(*write(folder)), environment(1))


def test_sets_of_bits_equal_a_search_row_by_row(tables: Tables) -> None:
    from simulator.pydial.structs import tables_struct

    rng = np.random.default_rng(0)
    struct = tables_struct(tables)
    for _ in range(200):
        words = tables.all_bits.copy()
        keep = np.ones(len(tables.entity_value), dtype=bool)
        for k in range(3):
            value = int(rng.integers(tables.size[k] + 1))
            restrict(struct, words, k, value)
            if value < tables.size[k]:
                keep &= tables.entity_value[:, k] == value
        rows = np.flatnonzero(keep)
        assert count(words) == len(rows)
        assert [nth(words, n) for n in range(len(rows))] == rows.tolist()
        assert nth(words, len(rows)) == -1
        assert all(has(words, int(row)) for row in rows)
        free = rng.integers(2, size=len(tables.size))
        differ = [
            len(set(tables.entity_value[rows, k])) > 1
            for k in range(len(tables.size))
            if tables.discriminates[k] and not free[k]
        ]
        assert discriminable(struct, words, free) == (len(rows) > 1 and any(differ))


def test_confusions_are_distributions_over_near_words(tables: Tables) -> None:
    for near, share in (
        (tables.act_near, tables.act_share),
        (tables.slot_near, tables.slot_share),
        (tables.value_near, tables.value_share),
    ):
        assert (np.diff(share, axis=1) >= 0).all()
        assert np.allclose(share[:, -1], 1.0)
        assert (near >= 0).all()
    assert not (tables.slot_near == tables.name_slot).any(), "a slot is never taken for the name"
