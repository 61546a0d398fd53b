"""``rejoinder train memory`` interrupted, resumed and refused, and what it shows."""

from __future__ import annotations

import hashlib
import io
import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands.train_memory import memory_run
from bot.errors import CommandError
from bot.interruption import interruptions
from bot.memory_report import by_task, draw_curve, draw_curves, summary, training_progress
from bot.memory_training import load
from memory.dnc.training import Progress, StoryTraining

STORY = "1 Priya moved to the attic.\n2 Tom is in the cellar.\n3 Where is Priya?\tattic\t1\n"


@pytest.fixture(autouse=True)
def keyboard() -> Iterator[None]:
    """Ctrl-C as Python begins with it: in a background job it would be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with the file of one task."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "qa1_small_train.txt").write_text(STORY * 30)
    return folder


@pytest.fixture
def interrupted(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs ``train memory`` until a signal comes at the third update, with more options."""

    def run(*options: str, number: int = signal.SIGINT) -> Result:
        @contextmanager
        def signalled(label: str, steps: int, *, quiet: bool) -> Iterator[Callable[[StoryTraining], None]]:
            began: list[int] = []

            def update(training: StoryTraining) -> None:
                began.append(training.progress.step)
                if len(began) == 3:
                    signal.raise_signal(number)

            yield update

        monkeypatch.setattr("bot.commands.train_memory.training_progress", signalled)
        words = ["train", "memory", "--tasks", "1", "--data", str(data), "--out", str(tmp_path / "my memory")]
        return CliRunner().invoke(app, [*words, *options])

    return run


def test_ctrl_c_and_sigterm_keep_the_training_and_say_how_to_go_on(
    interrupted: Callable[..., Result], tmp_path: Path
) -> None:
    out = tmp_path / "my memory"
    first = interrupted()
    assert first.exit_code == 130
    assert "interrupted after 3 of 3000 updates" in first.output
    assert first.output.strip().splitlines()[-1].endswith(f"--out '{out}' --resume")
    assert sorted(path.name for path in out.iterdir()) == ["resume"], "nothing half-trained is exported"
    second = interrupted("--resume", "--json", number=signal.SIGTERM)
    assert second.exit_code == 130
    report = json.loads(second.output)
    assert (report["interrupted"], report["steps"]) == (True, 6)
    assert report["resume"].startswith("rejoinder train memory --tasks 1 --data")
    anew = interrupted()
    assert "beginning anew; --resume would have gone on" in anew.output
    assert "after 3 of" in anew.output


def test_a_checkpoint_of_another_training_is_refused_by_what_differs(
    interrupted: Callable[..., Result], data: Path
) -> None:
    interrupted()
    (data / "qa2_small_train.txt").write_text(STORY * 30)
    for options, said in (
        (("--seed", "1"), "begun with seed = 0, now it is 1"),
        (("--support", "0"), "begun with support_weight = 0.5, now it is 0.0"),
        (("--steps", "200"), "begun with steps = 3000, now it is 200"),
        (("--generated", "5"), "begun with generated = 0, now it is 5"),
        (("--tasks", "1,2"), "begun with tasks = [1], now it is [1, 2]"),
    ):
        result = interrupted(*options, "--resume")
        assert isinstance(result.exception, CommandError)
        assert said in str(result.exception)
        assert "train without resuming" in str(result.exception)
    (data / "qa1_small_train.txt").write_text(STORY * 31)
    assert "begun with training file qa1_small_train.txt" in str(interrupted("--resume").exception)


def test_a_damaged_checkpoint_is_refused_by_name(interrupted: Callable[..., Result], tmp_path: Path) -> None:
    interrupted()
    folder = tmp_path / "my memory" / "resume"
    (path,) = folder.glob("state-*")
    with np.load(path) as arrays:
        state = dict(arrays)
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{path.name}: sha256 differs" in str(interrupted("--resume").exception)
    name = "model/writer.norm.weight"
    for broken, said in ((np.full_like(state[name], np.nan), "not finite"), (state[name][:3], "of shape (3,)")):
        np.savez(path, **(state | {name: broken}))
        manifest = json.loads((folder / "resume.json").read_text())
        manifest["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / "resume.json").write_text(json.dumps(manifest))
        result = interrupted("--resume")
        assert isinstance(result.exception, CommandError)
        assert name in str(result.exception)
        assert said in str(result.exception)
        assert "train without resuming" in str(result.exception)


def test_what_cannot_be_trained_on_is_refused_by_name(data: Path, tmp_path: Path) -> None:
    def refused(content: str) -> str:
        (data / "qa1_small_train.txt").write_text(content)
        with pytest.raises(CommandError) as caught:
            load(memory_run("1", data, 0, tmp_path, None, None, 0.5))
        return str(caught.value)

    assert "qa1_small_train.txt: 0 stories with questions" in refused("1 Mary went home.\n" * 5)
    assert "1 stories with questions: at least 2" in refused(STORY)
    long = "\n".join(f"{n} Mary went home." for n in range(1, 1200)) + "\n1200 Where is Mary?\thome\t1\n"
    assert "a story of 1199 statements: at most 1000" in refused(STORY + long)
    with pytest.raises(CommandError, match=r"no file qa2_\*_train.txt"):
        load(memory_run("2", data, 0, tmp_path, None, None, 0.5))


def test_half_of_few_stories_a_twentieth_of_many_is_held_out(data: Path, tmp_path: Path) -> None:
    run = memory_run("1", data, 0, tmp_path, None, None, 0.5)
    for stories, held_out in ((4, 2), (30, 15), (100, 20), (600, 30)):
        (data / "qa1_small_train.txt").write_text(STORY * stories)
        material = load(run)
        assert (len(material.held_out), len(material.judging)) == (held_out, held_out)
        assert len(material.stories[1]) == stories - held_out
    assert material.data == {"qa1_small_train.txt": hashlib.sha256((STORY * 600).encode()).hexdigest()}


def test_the_second_ctrl_c_does_not_wait() -> None:
    with interruptions() as came:
        assert not came()
        signal.raise_signal(signal.SIGTERM)
        assert came()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)  # Python's own again


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptions() as came:
        signal.raise_signal(signal.SIGINT)
        assert not came()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_errors_are_shown_for_every_task() -> None:
    errors = {task: task / 100 for task in range(1, 21)}
    line = by_task(errors)
    assert line.plain.startswith("error %: mean 10.5 | 1 1.0 · 2 2.0 · ")
    assert line.plain.endswith("· 20 20.0")
    report = summary(errors)
    assert (report["mean_error"], report["failed"], len(report["tasks"])) == (10.5, 15, 20)
    with training_progress("training", 10, quiet=True) as update:
        assert update(None) is None  # type: ignore[arg-type]


def test_the_bar_shows_time_left_and_every_task(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("bot.memory_report.console", Console(file=screen, force_terminal=True, width=100))
    progress = Progress({1: 0.031, 15: 0.5}, step=30)
    with training_progress("training the memory", 40, quiet=False) as update:
        update(SimpleNamespace(progress=progress))  # type: ignore[arg-type]
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "30/40" in shown
    assert "left" in shown
    assert "error %: mean 26.6 | 1 3.1 · 15 50.0" in shown


def test_curves_are_drawn_for_one_task_many_tasks_and_none(tmp_path: Path) -> None:
    curve = [{"step": 50 * n, "error": {str(task): 1 / (n + task) for task in range(1, 21)}} for n in range(1, 5)]
    draw_curve(curve, tmp_path / "new" / "one.png")
    draw_curves({"seed 0": curve, "seed 1": []}, tmp_path / "two.png")
    sizes = [(tmp_path / name).stat().st_size for name in ("new/one.png", "two.png")]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("new/one.png", "two.png"))
    draw_curve(curve[:1], tmp_path / "new" / "one.png")
    assert (tmp_path / "new" / "one.png").stat().st_size != sizes[0]
