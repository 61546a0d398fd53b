"""Small Rasa projects written into a folder."""

from __future__ import annotations

import textwrap
from pathlib import Path

PIZZA = Path(__file__).parents[2] / "assistants" / "rasa_pizza"

DOMAIN = """
version: "3.1"
intents: [greet, book, deny]
entities:
  - city
slots:
  city:
    type: text
    mappings:
      - type: from_entity
        entity: city
  seats:
    type: float
    mappings:
      - type: custom
forms:
  trip_form:
    required_slots: [city]
actions: [action_book]
responses:
  utter_hello:
    - text: Hello
"""


def write_project(folder: Path, files: dict[str, str]) -> Path:
    """``files`` by name (texts are dedented); a domain is added when there is none."""
    given = files if any(name.startswith("domain") for name in files) else {"domain.yml": DOMAIN, **files}
    for name, text in given.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def stories(*steps: str, name: str = "one") -> str:
    """A stories file with one story of these steps, each `intent: greet` and so on."""
    lines = "".join(f"      - {step}\n" for step in steps)
    return f'version: "3.1"\nstories:\n  - story: {name}\n    steps:\n{lines}'
