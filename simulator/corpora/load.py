"""Every corpus by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simulator.corpora.camrest import camrest_dialogues
from simulator.corpora.dialogues import CorpusDialogue, CorpusError
from simulator.corpora.log import log_dialogues
from simulator.corpora.multiwoz import multiwoz_dialogues
from simulator.corpora.sgd import sgd_dialogues
from simulator.corpora.tcbot import tcbot_dialogues
from simulator.corpora.woz2 import woz2_dialogues

_READERS: dict[str, Callable[[Path | str], list[CorpusDialogue]]] = {
    "woz2": woz2_dialogues,
    "camrest": camrest_dialogues,
    "multiwoz": multiwoz_dialogues,
    "sgd": sgd_dialogues,
    "tcbot": tcbot_dialogues,
    "log": log_dialogues,
}
CORPORA = tuple(_READERS)


def load_corpus(name: str, path: Path | str) -> list[CorpusDialogue]:
    """The dialogues of one file, in the file's order.

    Raises:
        CorpusError: no reader is called ``name``, the file does not parse, or it holds nothing.
    """
    if name not in _READERS:
        raise CorpusError(f"no reader for corpus {name!r}; there are: {', '.join(CORPORA)}")
    dialogues = _READERS[name](path)
    if not dialogues:
        raise CorpusError(f"{path}: holds no {name} dialogue; give another file")
    return dialogues
