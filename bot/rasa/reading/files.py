"""A Rasa project's files: which there are, what is in each, environment variables put in, the format's version."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bot.assistant_yaml import AssistantError, YamlList, YamlMap, did_you_mean, read_map, read_yaml
from bot.rasa.project import Unsupported

DOMAIN_KEYS = (
    "intents", "entities", "slots", "forms", "responses", "actions", "e2e_actions", "session_config", "config",
    "templates",
)  # fmt: skip
DATA_KEYS = ("nlu", "stories", "rules")
_KNOWN = (*DATA_KEYS, *DOMAIN_KEYS, "version")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_SUFFIXES = (".yml", ".yaml")
MIGRATE = "Run `rasa data migrate` with Rasa 3 on the project, then try again"


@dataclass
class Notes:
    """What the project says and Rejoinder does otherwise, gathered while reading."""

    root: Path
    found: list[Unsupported] = field(default_factory=list)

    def add(self, file: Path | str, line: int, what: str, instead: str) -> None:
        """Note one thing; ``file`` is shown relative to the project."""
        note = Unsupported(relative(self.root, file), line, what, instead)
        if note not in self.found:
            self.found.append(note)


@dataclass(frozen=True)
class ProjectFiles:
    """The parsed files of a project: ``domain`` and ``data`` in reading order (a data file may hold domain keys too),
    ``tests`` the test stories, ``json`` NLU data in JSON, ``read`` all files that training depends on."""

    root: Path
    domain: tuple[YamlMap, ...]
    data: tuple[YamlMap, ...]
    tests: tuple[YamlMap, ...]
    json: tuple[Path, ...]
    config: YamlMap
    endpoints: YamlMap
    credentials: YamlMap
    read: tuple[Path, ...]


def relative(root: Path, file: Path | str) -> str:
    """``file`` as seen from the project, for messages."""
    try:
        return Path(file).resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return str(file)


def is_rasa_project(path: Path | str) -> bool:
    """Whether a folder is a Rasa project: a domain.yml (or domain.yaml, or domain/) and no task.yml."""
    folder = Path(path)
    return not (folder / "task.yml").exists() and bool(_domain_files(folder))


def collect(root: Path, notes: Notes, environment: Mapping[str, str] | None = None) -> ProjectFiles:
    """Read every file of the project at ``root``; AssistantError with file and line when one is broken.

    ``environment`` (the process's) fills `${NAME}`; an unset variable is an error, except in endpoints.yml and
    credentials.yml, which only serving needs: there it stays as written and is noted.
    """
    values = os.environ if environment is None else environment
    if not root.is_dir():
        raise AssistantError(root, 0, "the project's folder is missing", "Give the folder that holds domain.yml")
    domain_files = _domain_files(root)
    if not domain_files:
        raise AssistantError(root / "domain.yml", 0, "the project has no domain", "Create domain.yml or domain/*.yml")
    data_files, test_files, json_files = _data_files(root, notes)
    domain = [_expanded(read_map(path, needed_for="a Rasa project"), values) for path in domain_files]
    for part in domain:
        _check_keys(part, (*DOMAIN_KEYS, *DATA_KEYS, "version"))
        check_version(part, notes)
    data = [part for path in data_files for part in _data_file(path, values, notes)]
    tests = [part for path in test_files for part in _test_file(path, values, notes)]
    config = _expanded(_optional(root, "config"), values)
    endpoints, credentials = (_kept(_optional(root, name), values, notes) for name in ("endpoints", "credentials"))
    read = [*domain_files, *data_files, *json_files, *([Path(config.file)] if Path(config.file).exists() else [])]
    return ProjectFiles(
        root, tuple(domain), tuple(data), tuple(tests), tuple(json_files), config, endpoints, credentials, tuple(read)
    )


def fingerprint(root: Path, files: tuple[Path, ...]) -> str:
    """SHA-256 over the names and bytes of ``files``."""
    digest = hashlib.sha256()
    for name, path in sorted((relative(root, path), path) for path in files):
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def read_endpoints_file(root: Path) -> YamlMap:
    """endpoints.yml with the process's environment put in; unset variables stay as they are written."""
    part = _optional(root, "endpoints")
    _expand(part, os.environ)
    return part


def check_version(part: YamlMap, notes: Notes) -> int:
    """The major version of a file's format (3 when it says none); AssistantError for one that can't be read."""
    text = str(part.get("version", "3.1"))
    major = text.split(".", maxsplit=1)[0]
    if major == "3":
        if text not in ("3.0", "3.1"):
            notes.add(part.file, part.lines["version"], f"format {text}", "read as format 3.1")
        return 3
    if major == "2":
        return 2
    if major.isdigit() and int(major) > 3:
        raise part.error("version", f"the format is {text}, Rejoinder reads 3.0, 3.1 and 2.0", 'Write `version: "3.1"`')
    raise part.error("version", f"the format is {text!r}, Rejoinder reads 3.0, 3.1 and 2.0", MIGRATE)


def check_known(part: YamlMap, known: Collection[str], notes: Notes) -> None:
    """Complain of keys that look like a slip of the pen; Rasa allows further ones, which are noted."""
    for key in part:
        if key in known:
            continue
        if get_close_matches(key, known, n=1, cutoff=0.75):
            raise part.error(key, f"unknown key {key!r}", did_you_mean(key, known))
        notes.add(part.file, part.lines[key], f"the key {key!r}", "not read")


def unset_variables(value: Any) -> Iterator[tuple[str, Path, int]]:
    """(name, file, line) of each `${NAME}` that is still in ``value``."""
    if isinstance(value, YamlMap):
        for key, item in value.items():
            if isinstance(item, str):
                yield from ((name, value.file, value.lines[key]) for name in _VARIABLE.findall(item))
            else:
                yield from unset_variables(item)
    elif isinstance(value, YamlList):
        for index, item in enumerate(value):
            if isinstance(item, str):
                yield from ((name, value.file, value.lines[index]) for name in _VARIABLE.findall(item))
            else:
                yield from unset_variables(item)


def plain(value: Any) -> Any:
    """YAML values as plain dicts and lists."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _domain_files(root: Path) -> list[Path]:
    single = [root / f"domain{suffix}" for suffix in _SUFFIXES if (root / f"domain{suffix}").is_file()]
    return [*single[:1], *_yaml_below(root / "domain")]


def _yaml_below(folder: Path) -> list[Path]:
    """YAML files below ``folder``, hidden ones left out, in a fixed order."""
    found = (path for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def _data_files(root: Path, notes: Notes) -> tuple[list[Path], list[Path], list[Path]]:
    """Data files, test stories and JSON files; test stories are those whose names begin with `test_`, as in Rasa."""
    data = _yaml_below(root / "data")
    tests = [path for path in (*data, *_yaml_below(root / "tests")) if path.name.startswith("test_")]
    for path in _yaml_below(root / "tests"):
        if path not in tests:
            notes.add(path, 0, "a file in tests/ whose name doesn't begin with test_", "not read; rename it to test_…")
    for path in sorted([*(root / "data").rglob("*.md"), *(root / "tests").rglob("*.md")]):
        if path.name.lower() != "readme.md":
            notes.add(path, 0, "Markdown training data (Rasa 1 and 2)", "not read; convert it with Rasa 2")
    json_files = sorted(path for path in (root / "data").rglob("*.json") if '"rasa_nlu_data"' in _text(path))
    return [path for path in data if path not in tests], tests, json_files


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _data_file(path: Path, values: Mapping[str, str], notes: Notes) -> list[YamlMap]:
    """The file's mapping, or nothing when it holds no training data."""
    part = read_yaml(path, needed_for="training")
    if part is None:
        return []
    if not isinstance(part, YamlMap) or not any(key in _KNOWN for key in part if key != "version"):
        wrong = [key for key in part if key != "version"] if isinstance(part, YamlMap) else []
        for key in wrong:
            if did_you_mean(key, DATA_KEYS).startswith("Did you mean"):
                raise part.error(key, f"unknown key {key!r}", did_you_mean(key, DATA_KEYS))
        keys = ", ".join(DATA_KEYS)
        notes.add(path, 0, "a YAML file without training data", f"not read: it has none of the keys {keys}, responses")
        return []
    _check_keys(part, _KNOWN)
    check_version(part, notes)
    return [_expanded(part, values)]


def _test_file(path: Path, values: Mapping[str, str], notes: Notes) -> list[YamlMap]:
    """The file's mapping, or nothing when it holds no test stories."""
    part = read_yaml(path, needed_for="test stories")
    if isinstance(part, YamlMap) and "stories" in part:
        _check_keys(part, (*DATA_KEYS, "version"))
        return [_expanded(part, values)]
    for key in part if isinstance(part, YamlMap) else ():
        if did_you_mean(key, ["stories"]).startswith("Did you mean"):
            raise part.error(key, f"unknown key {key!r}", did_you_mean(key, ["stories"]))
    notes.add(path, 0, "a test file without stories", "not read: only `stories:` are")
    return []


def _check_keys(part: YamlMap, known: tuple[str, ...]) -> None:
    for key in part:
        if key not in known:
            raise part.error(key, f"unknown key {key!r}", did_you_mean(key, known))


def _optional(root: Path, name: str) -> YamlMap:
    """The mapping in ``name``.yml; an empty one when the file is missing or empty."""
    path = next((root / f"{name}{s}" for s in _SUFFIXES if (root / f"{name}{s}").is_file()), root / f"{name}.yml")
    if not path.is_file() or read_yaml(path, needed_for="a Rasa project") is None:
        return YamlMap(path, 0)
    return read_map(path, needed_for="a Rasa project")


def _expanded(part: YamlMap, values: Mapping[str, str]) -> YamlMap:
    _expand(part, values)
    for name, file, line in unset_variables(part):
        problem = f"the environment variable {name!r} is not set"
        raise AssistantError(file, line, problem, f"Set it before the command: {name}=...")
    return part


def _kept(part: YamlMap, values: Mapping[str, str], notes: Notes) -> YamlMap:
    _expand(part, values)
    for name, file, line in unset_variables(part):
        notes.add(file, line, f"the environment variable {name} is not set", "needed to serve; set it before")
    return part


def _expand(value: Any, values: Mapping[str, str]) -> None:
    """Put environment variables into all texts of a YAML value, in place."""
    entries: Any = value.items() if isinstance(value, YamlMap) else enumerate(value)
    for key, item in list(entries):
        if isinstance(item, str):
            if "${" in item:
                value[key] = _VARIABLE.sub(lambda m: values.get(m[1], m[0]), item)
        elif isinstance(item, YamlMap | YamlList):
            _expand(item, values)
