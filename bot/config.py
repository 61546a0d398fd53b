"""The one configuration: typed, frozen, every key known.

Secrets are not here: the inspector's token comes from the environment variable ``REJOINDER_INSPECT_TOKEN``, Slack's
from the variables that ``channels.slack`` names, the database's address from the one that ``store`` names.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bot.rasa.tracker_store import project_database_url

_PACKAGES = Path(__file__).parents[1]
"""Where the rooms are installed, side by side."""


class ConfigError(ValueError):
    """config.yml can't be used; the message names file, key and remedy."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class NLUConfig(_Section):
    """From text to acts."""

    encoder: str = "all-MiniLM-L6-v2"
    target_in_scope_loss: float = Field(default=0.03, gt=0, lt=0.5)
    threads: int = Field(default=1, ge=1, le=64)


class PolicyConfig(_Section):
    """Which policy answers."""

    name: Literal["learned", "rule", "stack"] = "learned"
    rules: tuple[str, ...] = ("confirm_booking", "book", "bye")
    thresholds: Literal["default", "tuned"] = "default"


class TrainingConfig(_Section):
    """How the policy is trained; ``device`` is that of the simulated user's and the memory's training too."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "cpu"
    steps: int = Field(default=3600, ge=100)
    num_envs: int = Field(default=128, ge=1, le=16384)
    max_turns: int = Field(default=20, ge=4, le=200)
    error_rates: tuple[Annotated[float, Field(ge=0, le=0.9)], ...] = (0.0, 0.15, 0.3)
    users: Path | None = None
    user_model: Literal["agenda", "learned"] = "agenda"


class TunedConfig(_Section):
    """Settings that ``rejoinder tune`` found, by name, in place of a learner's own defaults."""

    policy: dict[str, int | float | str] = {}
    memory: dict[str, int | float | str] = {}
    ranker: dict[str, int | float | str] = {}
    nlu: dict[str, int | float | str] = {}


class RewardConfig(_Section):
    """What a real dialogue was worth to whoever learns from it."""

    turn: float = Field(default=-1.0, le=0)
    booking: float = 20.0
    goodbye: float = 10.0
    handoff: float = -10.0
    thumb: float = Field(default=5.0, ge=0)


class LearningConfig(_Section):
    """How `rejoinder learn` goes on learning from finished dialogues."""

    silence_seconds: float = Field(default=1800.0, gt=0)
    min_dialogues: int = Field(default=20, ge=1)
    max_conversations: int = Field(default=2000, ge=1)
    every_seconds: float = Field(default=300.0, gt=0)
    updates: int = Field(default=600, ge=1)
    real_share: float = Field(default=0.25, ge=0, lt=1)
    conservatism: float = Field(default=0.2, ge=0)
    margin: float = Field(default=0.2, ge=0)
    gate_dialogues: int = Field(default=4000, ge=100)
    rewards: RewardConfig = RewardConfig()


class ConversationConfig(_Section):
    """When to apologise, offer a person, or say that something was not understood."""

    upset_below: float = Field(default=-0.45, ge=-1, le=0)
    handoff_after: int = Field(default=3, ge=1)
    act_threshold: float = Field(default=0.4, gt=0, lt=1)
    out_of_scope_threshold: float = Field(default=0.5, gt=0, lt=1)


class MemoryConfig(_Section):
    """What remembers users' statements: a story model's folder, or None for no memory.

    A relative folder that isn't beside config.yml is looked for where the package is installed.
    """

    model: Path | None = Path("memory/dnc/trained")


class StoreConfig(_Section):
    """Where conversations are kept: a SQLite file in ``data``, or PostgreSQL.

    ``url_variable`` names the environment variable that holds the address with its password; it goes before ``url``.
    """

    url: str | None = Field(default=None, pattern="^postgres(ql)?://")
    url_variable: str = "REJOINDER_STORE_URL"

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str | None) -> str | None:
        if url is not None and (":" in url.split("://", 1)[1].rpartition("@")[0] or "password=" in url):
            raise ValueError("a password has no place in config.yml; put the whole address into the environment "
                             "variable that store.url_variable names")  # fmt: skip
        return url


class ParaphrasesConfig(_Section):
    """A language model that rewords what the templates say, off by default."""

    model: str | None = None
    count: int = Field(default=3, ge=1, le=20)
    seconds: float = Field(default=0.05, ge=0, le=1)
    late_seconds: float = Field(default=5.0, gt=0)


class SelectionConfig(_Section):
    """Which venue is offered and in which words, among all that would do."""

    mode: Literal["learned", "fixed", "uniform"] = "learned"
    exploration: float = Field(default=0.05, ge=0, le=1)
    pools: tuple[Literal["best_match", "popular", "for_you", "new"], ...] = Field(
        default=("best_match", "popular", "for_you", "new"), min_length=1
    )
    candidates: int = Field(default=12, ge=2, le=50)
    temperature: float = Field(default=1.0, gt=0)
    min_slates: int = Field(default=200, ge=10)
    max_conversations: int = Field(default=20_000, ge=1)
    margin: float = Field(default=0.05, ge=0)
    rewards: dict[
        Literal["clicked", "accepted", "booked", "thumbs_up", "thumbs_down", "refused", "rephrased", "abandoned"], float
    ] = {"clicked": 0.1, "accepted": 0.5, "booked": 1.0, "thumbs_up": 0.5}
    paraphrases: ParaphrasesConfig = ParaphrasesConfig()


class ServerConfig(_Section):
    """Where to listen and what to refuse."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    allowed_origins: tuple[str, ...] = ()
    max_message_chars: int = Field(default=1000, ge=1, le=100_000)
    max_body_bytes: int = Field(default=65536, ge=1024)
    request_seconds: float = Field(default=10.0, gt=0)
    max_in_flight: int = Field(default=256, ge=1)


class SlackConfig(_Section):
    """Slack, off by default. Secrets are never here: the ``_variable`` settings name environment variables."""

    mode: Literal["off", "events", "socket"] = "off"
    bot_token_variable: str = "SLACK_BOT_TOKEN"
    signing_secret_variable: str = "SLACK_SIGNING_SECRET"
    app_token_variable: str = "SLACK_APP_TOKEN"
    api_url: str = Field(default="https://slack.com/api/", pattern="^https?://")
    posts_per_second: float = Field(default=1.0, ge=0)
    max_waiting: int = Field(default=10_000, ge=1)
    thumbs: bool = True


class ChannelsConfig(_Section):
    """Where people reach the bot besides HTTP and the widget."""

    slack: SlackConfig = SlackConfig()


class Config(_Section):
    """All settings; relative paths are relative to the folder of config.yml (``root``)."""

    assistant: Path = Path("assistants/restaurants")
    models: Path = Path("models")
    model: Path | None = None
    data: Path = Path("data")
    seed: int = Field(default=7, ge=0, lt=2**32)
    nlu: NLUConfig = NLUConfig()
    policy: PolicyConfig = PolicyConfig()
    training: TrainingConfig = TrainingConfig()
    tuned: TunedConfig = TunedConfig()
    learning: LearningConfig = LearningConfig()
    conversation: ConversationConfig = ConversationConfig()
    memory: MemoryConfig = MemoryConfig()
    selection: SelectionConfig = SelectionConfig()
    store: StoreConfig = StoreConfig()
    server: ServerConfig = ServerConfig()
    channels: ChannelsConfig = ChannelsConfig()

    @property
    def name(self) -> str:
        """The assistant's: that of its folder, also where that is given as `.`."""
        return self.assistant.absolute().name

    @property
    def model_dir(self) -> Path:
        """Where this assistant's models are."""
        return self.model or self.models / self.name

    @property
    def database(self) -> Path:
        """The event log's file, where it is not on PostgreSQL."""
        return self.data / f"{self.name}.sqlite3"

    @property
    def store_address(self) -> Path | str:
        """The event log: ``database``, or PostgreSQL's URL from the environment, ``store.url`` or a Rasa project."""
        told = os.environ.get(self.store.url_variable) or self.store.url
        return told or project_database_url(self.assistant) or self.database


def load_config(path: Path | None = None) -> Config:
    """Read ``path`` (default ``config.yml`` of the working folder, where a missing one means all defaults).

    ConfigError for a missing named file, bad YAML, an unknown key (with a suggestion) or a value out of range.
    """
    file = path or Path("config.yml")
    if not file.exists():
        if path is not None:
            raise ConfigError(f"{file}: no such file; create it or leave --config out")
        return _rooted(Config(), Path())
    try:
        raw = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")) or {}
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(f"{file}:{line}: {error.problem}; correct the YAML there") from None
    except YAMLError as error:  # a character that YAML doesn't allow
        raise ConfigError(f"{file}: {str(error).splitlines()[0]}; correct the YAML there") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not UTF-8 text; save it as UTF-8") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{file}: expected `key: value` lines, found {type(raw).__name__}")
    try:
        return _rooted(Config.model_validate(raw), file.parent)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{file}: {_explain(e)}" for e in error.errors())) from None


def overridden(config: Config, changes: dict[str, Any]) -> Config:
    """``config`` with ``changes`` from the command line; ConfigError when one is out of range."""
    try:
        return Config.model_validate({**config.model_dump(), **changes})
    except ValidationError as error:
        raise ConfigError("\n".join(f"command line: {_explain(e)}" for e in error.errors())) from None


def _rooted(config: Config, root: Path) -> Config:
    changes: dict[str, Any] = {key: root / getattr(config, key) for key in ("assistant", "models", "data")}
    if config.model is not None:
        changes["model"] = root / config.model
    if config.training.users is not None:
        changes["training"] = config.training.model_copy(update={"users": root / config.training.users})
    if config.memory.model is not None:
        beside, shipped = root / config.memory.model, _PACKAGES / config.memory.model
        model = beside if beside.exists() or not shipped.exists() else shipped
        changes["memory"] = config.memory.model_copy(update={"model": model})
    return config.model_copy(update=changes)


def _explain(error: Any) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "value_error":  # a check of ours: its message says all, and the value may be a secret
        return f"{key}: {error['msg'].removeprefix('Value error, ')}"
    if error["type"] != "extra_forbidden":
        return f"{key}: {error['msg']}, got {error['input']!r}"
    section: Any = Config
    for part in location[:-1]:
        section = section.model_fields[part].annotation
    known = list(section.model_fields)
    close = difflib.get_close_matches(location[-1], known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return f"unknown key {key!r}: {hint}"
