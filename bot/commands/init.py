"""``rejoinder init``."""

from __future__ import annotations

import shutil
from pathlib import Path

import bot
from bot.errors import CommandError
from bot.report import console

_ROOT = Path(bot.__file__).parents[1]


def init(folder: Path, template: str) -> None:
    """Copy the template assistant and config.yml into ``folder``; CommandError when that would overwrite anything."""
    source = _ROOT / "assistants" / template
    if not source.is_dir():
        known = ", ".join(sorted(p.name for p in (_ROOT / "assistants").iterdir() if p.is_dir()))
        raise CommandError(f"there is no template {template!r}; there is: {known}")
    target = folder / "assistants" / template
    for path in (target, folder / "config.yml"):
        if path.exists():
            raise CommandError(f"{path} exists already: give another folder, nothing was changed")
    shutil.copytree(source, target)
    text = (_ROOT / "config.yml").read_text(encoding="utf-8")
    (folder / "config.yml").write_text(
        text.replace("assistant: assistants/restaurants", f"assistant: assistants/{template}"), encoding="utf-8"
    )
    console.print(
        f"Made {folder / 'config.yml'} and {target}. Next:\n  cd {folder}\n  rejoinder train\n  rejoinder serve"
    )
