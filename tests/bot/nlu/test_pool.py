from __future__ import annotations

import asyncio
import threading

import pytest

from bot.nlu.pool import NLUBusy, NLUClosed, NLUPool
from memory.dialogue import NLUResult, SystemAct


class Echo:
    """Stands in for a trained NLU where only the pool around it is tested; notes if two threads share it."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate, self.reading, self.overlaps, self.read = gate, 0, 0, 0

    def parse(self, text: str, previous: SystemAct | None = None) -> NLUResult:
        self.reading += 1
        self.overlaps += self.reading > 1
        if self.gate is not None:
            self.gate.wait(10)
        self.read += 1
        self.reading -= 1
        if text == "fail":
            raise ValueError("broken")
        return NLUResult(text)


def test_answers_go_to_who_asked_and_no_reader_is_shared() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        readers = [Echo(gate), Echo(gate)]
        pool = NLUPool(readers)
        tasks = [asyncio.create_task(pool.parse(str(i))) for i in range(40)]
        await asyncio.sleep(0.05)
        assert pool.waiting == 40
        gate.set()
        assert [r.text for r in await asyncio.gather(*tasks)] == [str(i) for i in range(40)]
        assert pool.waiting == 0
        assert sum(reader.read for reader in readers) == 40
        assert all(reader.overlaps == 0 for reader in readers)
        pool.close()

    asyncio.run(scenario())


def test_a_full_pool_says_so_and_closing_reads_what_waits() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        pool = NLUPool([Echo(gate)], capacity=3)
        waiting = [asyncio.create_task(pool.parse(str(i))) for i in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(NLUBusy, match="3 messages"):
            await pool.parse("3")
        gate.set()
        assert [r.text for r in await asyncio.gather(*waiting)] == ["0", "1", "2"]
        await asyncio.to_thread(pool.close)
        with pytest.raises(NLUClosed):
            await pool.parse("4")
        pool.close()

    asyncio.run(scenario())


def test_an_error_reaches_its_caller_and_the_thread_goes_on() -> None:
    async def scenario() -> None:
        pool = NLUPool([Echo()])
        with pytest.raises(ValueError, match="broken"):
            await pool.parse("fail")
        assert (await pool.parse("fine")).text == "fine"
        pool.close()

    asyncio.run(scenario())
