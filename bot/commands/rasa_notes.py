"""What of a Rasa project Rejoinder does otherwise or not at all, told line by line."""

from __future__ import annotations

from bot.rasa.project import RasaProject
from bot.report import console


def print_unsupported(project: RasaProject) -> None:
    """One line each: file, line, what it is, and what happens instead."""
    notes = project.unsupported
    if not notes:
        console.print("Everything that the project says is supported.")
        return
    console.print(f"{len(notes)} {'thing is' if len(notes) == 1 else 'things are'} done otherwise or not at all:")
    for note in notes:
        place = f"{note.file}:{note.line}" if note.line else note.file
        console.print(f"  {place}: {note.what}; instead: {note.instead}", markup=False, highlight=False, soft_wrap=True)
