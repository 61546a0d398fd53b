"""An optional pool of paraphrases by a language model: checked, time-boxed, off by default.

Whatever the model does, the reply is never worse for it: a paraphrase that loses or invents something is refused
(``paraphrase_check.py``), one that isn't there in time is left out, and a model that throws or hangs is an empty pool.
What comes late is kept for the next time the same is to be said. So which paraphrases there are depends on the clock;
what was chosen is in the log, as ever.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

from bot.nlg.paraphrase_check import ParaphraseCheck
from bot.nlg.templates import Wording

log = logging.getLogger(__name__)
REMEMBERED = 512
"""Texts whose paraphrases are kept."""


class Generator(Protocol):
    """Writes paraphrases; may be slow, may be wrong, may throw."""

    def write(self, text: str, count: int, seconds: float, seed: int) -> Sequence[str]:
        """About ``count`` other wordings of ``text``; it should give up after ``seconds``."""
        ...


@dataclass(frozen=True, slots=True)
class ParaphraseSettings:
    """``model``: a folder, or a name on the model hub; None: no paraphrases. ``count``: wordings asked for.

    ``seconds``: how long a reply waits for them; 0 takes what is known from the last time the same was said.
    ``late_seconds``: how long the model may go on for the next time.
    """

    model: str | None = None
    count: int = 3
    seconds: float = 0.05
    late_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count: {self.count} wordings; ask for 1 or more")
        if not (0 <= self.seconds <= self.late_seconds and self.late_seconds > 0):
            raise ValueError(
                f"seconds: {self.seconds} is from 0 to late_seconds ({self.late_seconds}), which is above 0"
            )


class ParaphrasePool:
    """Paraphrases of what is to be said, none but checked ones. Safe to share between threads."""

    def __init__(
        self, generator: Generator, check: ParaphraseCheck, settings: ParaphraseSettings | None = None
    ) -> None:
        self.settings = settings or ParaphraseSettings()
        self._generator, self._check = generator, check
        self._idle, self._lock = threading.Lock(), threading.Lock()
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self.refused: Counter[str] = Counter()
        """How many texts were refused or missing, by the kind of reason."""

    def candidates(self, text: str, facts: Sequence[str] = (), seed: int = 0) -> tuple[str, ...]:
        """Other wordings of ``text``, best first; none when the model is late, busy, failing or lying.

        ``facts``: the values that ``text`` was filled with, which every wording must hold.
        """
        with self._lock:
            if text in self._known:
                self._known.move_to_end(text)
                return self._known[text]
        if not self._idle.acquire(blocking=False):  # one at a time: what is late must not pile up
            self.refused["busy"] += 1
            return ()
        answer: SimpleQueue[tuple[str, ...]] = SimpleQueue()
        worker = threading.Thread(target=self._work, args=(text, tuple(facts), seed, answer), daemon=True)
        worker.start()
        try:
            return answer.get(timeout=self.settings.seconds)
        except Empty:
            self.refused["late"] += 1
            return ()

    def extended(self, wordings: Sequence[Wording], facts: Sequence[str] = ()) -> list[Wording]:
        """``wordings``, and after them paraphrases of the first, under its key with ``~1`` and so on."""
        if not wordings:
            return []
        known = {wording.text for wording in wordings}
        fresh = [text for text in self.candidates(wordings[0].text, facts) if text not in known]
        return [*wordings, *(Wording(f"{wordings[0].key}~{n}", text) for n, text in enumerate(fresh, start=1))]

    def _work(self, text: str, facts: tuple[str, ...], seed: int, answer: SimpleQueue[tuple[str, ...]]) -> None:
        kept: tuple[str, ...] = ()
        try:
            written = self._generator.write(text, self.settings.count, self.settings.late_seconds, seed)
            kept = self._checked(text, facts, [str(wording) for wording in written])
            with self._lock:
                self._known[text] = kept
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        except Exception:  # whatever a model does, the reply goes out
            self.refused["failed"] += 1
            log.warning("the paraphrase model failed", exc_info=True)
        finally:
            self._idle.release()
            answer.put(kept)

    def _checked(self, text: str, facts: tuple[str, ...], written: Sequence[str]) -> tuple[str, ...]:
        kept: dict[str, None] = {}
        for wording in map(str.strip, written):
            if wording == text.strip():
                continue
            complaint = self._check.complaint(text, wording, facts)
            if complaint is None:
                kept[wording] = None
            else:
                self.refused["lying"] += 1
                log.debug("paraphrase refused: %s", complaint)
        return tuple(kept)[: self.settings.count]
