"""What rows of a story hold is made of what earlier rows hold: it must not grow from row to row."""

from __future__ import annotations

import pytest
import torch

from memory.dnc import story_model
from memory.dnc.story_model import LARGEST, StoryModel, StorySettings, bounded


def long_story(gain: float, statements: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of a story, and the gradient of a name, in a network whose gates are ``gain`` times those of a new one."""
    torch.manual_seed(0)
    model = StoryModel(StorySettings(lexicon=30))
    with torch.no_grad():
        model.writer.resolve.weight *= gain
    sentences = torch.randint(1, 70, (1, statements, 8))
    relations, arguments = model.encode(sentences[0], torch.zeros_like(sentences[0]))
    rows = model.write(relations.unsqueeze(0), arguments.unsqueeze(0))
    torch.autograd.backward(rows[1].sum())
    assert model.names.grad is not None
    return rows[1].detach().unflatten(-1, (-1, model.settings.embedding)), model.names.grad


def test_fillers_stay_bounded_in_a_long_story() -> None:
    rows, gradient = long_story(gain=100.0)
    assert rows.norm(dim=-1).max() <= LARGEST * (1 + 1e-5)
    assert torch.isfinite(gradient).all()


def test_without_the_bound_they_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story_model, "bounded", lambda fillers: fillers)
    rows, _ = long_story(gain=100.0)
    assert not torch.isfinite(rows).all() or rows.norm(dim=-1).max() > 1e6


def test_bound_leaves_what_is_short_as_it_is() -> None:
    fillers = torch.nn.functional.normalize(torch.randn(5, 64), dim=-1).requires_grad_()
    torch.testing.assert_close(bounded(fillers), fillers, rtol=0, atol=0)
    nothing = torch.zeros(2, 64, requires_grad=True)
    torch.autograd.backward(bounded(nothing).sum())
    assert nothing.grad is not None
    assert torch.isfinite(nothing.grad).all()
