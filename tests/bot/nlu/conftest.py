"""What the NLU's tests share: the trained NLU on a fixed day."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bot.assistant import Assistant
from bot.nlu.pipeline import NLU

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="session")
def nlu(assistant: Assistant, model_dir: Path) -> NLU:
    """The restaurants NLU, believing that it is Monday, 23 November 2026."""
    return NLU.load(model_dir, assistant, clock=lambda: TODAY)
