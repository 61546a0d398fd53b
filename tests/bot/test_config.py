from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import Config, ConfigError, load_config

ROOT = Path(__file__).parents[2]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(text)
    return path


def test_shipped_config_states_every_default() -> None:
    shipped = load_config(ROOT / "config.yml")
    defaults = Config()
    located = {key: getattr(defaults, key) for key in ("assistant", "models", "data", "memory")}
    assert shipped.model_copy(update=located).model_dump() == defaults.model_dump()
    assert shipped.memory.model == ROOT / str(defaults.memory.model)


def test_every_setting_is_in_the_shipped_file() -> None:
    text = (ROOT / "config.yml").read_text()
    for name, field in Config.model_fields.items():
        assert f"{name}:" in text
        for inner in getattr(field.annotation, "model_fields", {}):
            assert f"  {inner}:" in text, f"{name}.{inner} is missing in config.yml"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sever: {port: 1}", "unknown key 'sever': did you mean 'server'?"),
        ("server: {prot: 1}", "unknown key 'server.prot': did you mean 'port'?"),
        ("server: {port: ninety}", "server.port"),
        ("server: {port: 99999}", "server.port"),
        ("policy: {name: magic}", "policy.name"),
        ("seed: [1", ":1:"),
        ("seed: \0", "unacceptable character #x0000"),
        ("- a list", "expected `key: value` lines"),
        ("nlu: {target_in_scope_loss: 0}", "nlu.target_in_scope_loss"),
    ],
)
def test_bad_config_says_what_is_wrong_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(write(tmp_path, text))
    assert says in str(error.value)
    assert str(tmp_path / "config.yml") in str(error.value)


def test_missing_named_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "other.yml")


def test_binary_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError):
        load_config(path)


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "assistant: assistants/x"))
    assert config.assistant == tmp_path / "assistants/x"
    assert config.model_dir == tmp_path / "models" / "x"


def test_the_memory_that_comes_with_the_package_is_found_from_anywhere(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "seed: 1")).memory.model == ROOT / "memory/dnc/trained"
    (tmp_path / "memory/dnc/trained").mkdir(parents=True)
    assert load_config(write(tmp_path, "seed: 1")).memory.model == tmp_path / "memory/dnc/trained", "one's own first"


def test_a_memory_that_is_nowhere_is_named_beside_the_file(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "memory: {model: mine}")).memory.model == tmp_path / "mine"
    assert load_config(write(tmp_path, "memory: {model: null}")).memory.model is None


def test_config_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().seed = 3  # type: ignore[misc]
