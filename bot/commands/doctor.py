"""``rejoinder doctor``: everything a start needs, checked one by one."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import bot
from bot.config import Config
from bot.errors import explain
from bot.rasa.reading.files import is_rasa_project
from bot.report import console, print_json, print_table

Check = Callable[[Config], str]


def doctor(config: Config, *, as_json: bool) -> None:
    """Print the effective configuration and the checks; exit code 1 when one fails."""
    results = [(name, *_run(check, config)) for name, check in _CHECKS.items()]
    healthy = all(good for _, good, _ in results)
    if as_json:
        checks = [{"check": name, "ok": good, "detail": detail} for name, good, detail in results]
        print_json({"ok": healthy, "config": json.loads(config.model_dump_json()), "checks": checks})
    else:
        console.print_json(config.model_dump_json())
        rows = [("ok" if good else "FAILED", name, detail) for name, good, detail in results]
        print_table("checks", ["", "check", "detail"], rows)
    if not healthy:
        sys.exit(1)


def _run(check: Check, config: Config) -> tuple[bool, str]:
    try:
        return True, check(config)
    except Exception as error:
        return False, explain(error) or f"{type(error).__name__}: {error}"


def _python(config: Config) -> str:
    return sys.version.split()[0]


def _sqlite(config: Config) -> str:
    if sqlite3.sqlite_version_info < (3, 35):
        raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed")
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
    connection.close()
    return f"{sqlite3.sqlite_version} with FTS5"


def _assistant(config: Config) -> str:
    if is_rasa_project(config.assistant):
        from bot.rasa.reading.loading import load_project, require_environment

        project = load_project(config.assistant)
        require_environment(project)
        return f"Rasa project {config.name}: {len(project.stories)} stories, {len(project.rules)} rules"
    from bot.assistant import load_assistant

    assistant = load_assistant(config.assistant)
    entities, examples = assistant.ontology.num_entities, len(assistant.examples)
    return f"{assistant.name}: {entities} entities, {examples} examples, {len(assistant.faq)} FAQ entries"


def _nlu(config: Config) -> str:
    if is_rasa_project(config.assistant):
        from bot.rasa.nlu.parsing import RasaNLU
        from bot.rasa.reading.loading import load_project

        intents = RasaNLU.load(config.model_dir / "nlu", load_project(config.assistant)).parse("hello").intents
        return f"understands 'hello' as {intents[0][0] if intents else 'nothing'}"
    from bot.assistant import load_assistant
    from bot.nlu.pipeline import NLU

    result = NLU.load(config.model_dir, load_assistant(config.assistant)).parse("hello")
    return f"understands 'hello' as {result.acts[0].act if result.acts else 'nothing'}"


def _policy(config: Config) -> str:
    if is_rasa_project(config.assistant):
        from policies.stories.served import ServedStoryPolicy

        learned = ServedStoryPolicy.load(config.model_dir / "policy")
        return f"{learned.name} {learned.version}"
    from bot.app import build_policy
    from bot.assistant import load_assistant

    policy = build_policy(config.policy.name, config, load_assistant(config.assistant))
    return f"{policy.name} {policy.version}"


def _store(config: Config) -> str:
    from memory.store_opening import open_store, shown_address

    address = config.store_address
    if address == config.database and not config.database.exists():
        return f"{config.database} will be made at the first start"
    store = open_store(address)
    try:
        problem = store.check()
    finally:
        store.close()
    if problem:
        raise RuntimeError(f"{shown_address(address)}: {problem}")
    return shown_address(address)


def _port(config: Config) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((config.server.host, config.server.port))
    return f"{config.server.host}:{config.server.port} is free"


def _server(config: Config) -> str:
    from bot.app import server_settings

    settings = server_settings(config)
    return f"{len(settings.allowed_origins)} other sites may embed the widget"


def _widget(config: Config) -> str:
    bundle = Path(bot.__file__).parent / "widget" / "vendor" / "deepChat.bundle.js"
    if not bundle.exists():
        raise FileNotFoundError(2, "missing; fetch it with `python -m bot.widget_build` (or `make setup`)", str(bundle))
    return f"{bundle.stat().st_size // 1000} kB"


_CHECKS: dict[str, Check] = {
    "python": _python,
    "sqlite": _sqlite,
    "assistant": _assistant,
    "nlu model": _nlu,
    "policy model": _policy,
    "event log": _store,
    "server settings": _server,
    "port": _port,
    "chat widget": _widget,
}
