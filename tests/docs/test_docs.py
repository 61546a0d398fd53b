"""The documentation says what the software does: every dependency, command, option and link."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from bot.__main__ import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_dependency_has_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs/dependencies.md").read_text()
    required = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    for requirement in required:
        name = re.split(r"[<>=!~; ]", requirement)[0]
        assert name in page, f"docs/dependencies.md does not say why {name} is needed"
        assert re.search(r"<|==", requirement), f"{requirement} has no upper bound"


def commands() -> list[tuple[str, typer.models.CommandInfo]]:
    found = [
        (command.name or command.callback.__name__, command) for command in app.registered_commands if command.callback
    ]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found += [(f"{group.name} {c.name}", c) for c in group.typer_instance.registered_commands]
    return found


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_is_documented_with_its_options(name: str) -> None:
    page = (ROOT / "docs/reference/cli.md").read_text()
    assert f"## rejoinder {name}" in page
    section = page.split(f"## rejoinder {name}\n")[1].split("\n## ")[0]
    command = dict(commands())[name]
    assert command.callback is not None
    assert "Example" in (command.callback.__doc__ or ""), "the help has no example"
    for option in set(command.callback.__annotations__) - {"return", "config", "assistant", "seed", "as_json"}:
        assert option.replace("_", "-") in section or option.upper() in section, f"{name}: {option} is not documented"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
