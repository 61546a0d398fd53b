"""``rejoinder init``: a project of one's own, from a template or from a Rasa project."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import bot
from bot.commands.rasa_notes import print_unsupported
from bot.errors import CommandError
from bot.rasa.reading.loading import is_rasa_project, load_project
from bot.report import console

_ROOT = Path(bot.__file__).parents[1]


_LEFT_OUT = ("models", "results", ".rasa", ".git", ".venv", "venv", "__pycache__")
"""Of a Rasa project's folder: what its files don't need."""


def init(folder: Path, template: str) -> None:
    """Copy the template assistant and config.yml into ``folder``; CommandError when that would overwrite anything."""
    source = _ROOT / "assistants" / template
    if not source.is_dir():
        known = ", ".join(sorted(p.name for p in (_ROOT / "assistants").iterdir() if p.is_dir()))
        raise CommandError(f"there is no template {template!r}; there is: {known}")
    target = _new_project(source, folder, template)
    console.print(
        f"Made {folder / 'config.yml'} and {target}. Next:\n  cd {folder}\n  rejoinder train\n  rejoinder serve"
    )


def init_from_rasa(project: Path, folder: Path) -> None:
    """Copy a Rasa project as it is into ``folder``, with a config.yml, and say what of it is done otherwise.

    AssistantError when the project can't be read; CommandError when the copy would overwrite anything.
    """
    if not is_rasa_project(project):
        raise CommandError(f"{project}: no Rasa project: give the folder that holds domain.yml")
    read = load_project(project)
    name = project.resolve().name
    target = _new_project(project, folder, name)
    console.print(f"Made {folder / 'config.yml'} and {target}.", markup=False, highlight=False, soft_wrap=True)
    print_unsupported(read)
    console.print(
        f"Next:\n  cd {folder}\n  rejoinder train\n  rejoinder serve", markup=False, highlight=False, soft_wrap=True
    )


def _new_project(source: Path, folder: Path, name: str) -> Path:
    """The copy of the assistant in ``source``, with a config.yml that names it."""
    target = folder / "assistants" / name
    for path in (target, folder / "config.yml"):
        if path.exists():
            raise CommandError(f"{path} exists already: give another folder, nothing was changed")
    if target.resolve().is_relative_to(source.resolve()):
        raise CommandError(f"{target} lies inside {source}: give another folder, nothing was changed")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    text = (_ROOT / "config.yml").read_text(encoding="utf-8")
    named = text.replace("assistant: assistants/restaurants", f"assistant: {json.dumps(f'assistants/{name}')}")
    (folder / "config.yml").write_text(named, encoding="utf-8")
    return target
