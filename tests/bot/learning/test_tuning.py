"""Trials survive interruption and crashes, the check uses fresh users, and tuned settings are really used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bot.app import build_policy, mask_thresholds
from bot.assistant import Assistant
from bot.commands.tune import search_of, thresholds
from bot.config import Config, ConfigError, PolicyConfig
from bot.errors import CommandError
from bot.learning.settings import TUNED_FILE
from bot.learning.tuning import CHECK_SEED, TUNING_SEED, Search, TrialLog, check, header, plot, run, try_setting
from policies.export import ModelError
from policies.rule import RulePolicy
from policies.thresholds import RULE_BOX, Trial, default_setting
from simulator.small import small_ontology, small_task

ONTOLOGY, TASK = small_ontology(), small_task()
SEARCH = Search((0.0, 0.3), trials=5, dialogues=60)


def log(path: Path, search: Search = SEARCH) -> TrialLog:
    return TrialLog(path, header(ONTOLOGY, search, 20))


def test_an_interrupted_search_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = log(tmp_path / "whole.jsonl")
    best = run(ONTOLOGY, TASK, SEARCH, whole, max_turns=20)
    left = [4]

    def interrupt() -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(ONTOLOGY, TASK, SEARCH, log(tmp_path / "cut.jsonl"), max_turns=20, advance=interrupt)
    resumed = log(tmp_path / "cut.jsonl")
    assert len(resumed.trials) == 4
    assert run(ONTOLOGY, TASK, SEARCH, resumed, max_turns=20) == best
    assert resumed.trials == whole.trials
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_line_that_a_crash_cut_short_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    log(path).append(Trial(0.0, default_setting(), 1.0, 0.1, 0.9, 0.01))
    with path.open("a") as file:
        file.write('{"context": 0.3, "sett')
    kept = log(path)
    assert len(kept.trials) == 1
    kept.append(Trial(0.3, default_setting(), 1.0, 0.1, 0.9, 0.01))
    assert [trial.context for trial in log(path).trials] == [0.0, 0.3]


def test_trials_of_another_search_are_refused(tmp_path: Path) -> None:
    log(tmp_path / "t.jsonl")
    with pytest.raises(CommandError, match=r"another search \(dialogues, margin differ\): give another --trials-file"):
        log(tmp_path / "t.jsonl", Search((0.0, 0.3), dialogues=61, margin=0.5))
    log(tmp_path / "t.jsonl", Search((0.0, 0.3), trials=99, dialogues=60))


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    log(path)
    with path.open("a") as file:
        file.write('{"context": 0.3}\n')
    with pytest.raises(CommandError, match=r"t\.jsonl:2: not a trial"):
        log(path)


def test_every_setting_meets_the_same_users_and_the_check_others() -> None:
    first, again = (try_setting(ONTOLOGY, TASK, 0.3, default_setting(), 200, max_turns=20) for _ in range(2))
    assert first == again
    assert 0 < first.success_error < 0.05
    perfect = try_setting(ONTOLOGY, TASK, 0.0, default_setting(), 50, max_turns=20)
    assert perfect.success_error > 0, "fifty successes do not prove certainty"
    assert TUNING_SEED < CHECK_SEED


def test_the_check_says_what_was_gained(tmp_path: Path) -> None:
    clumsy = dict(zip(RULE_BOX.names, default_setting(), strict=True)) | {"known": 0.97, "doubtful": 0.05}
    best = {
        0.0: Trial(0.0, default_setting(), 0, 0, 0, 0),
        0.3: Trial(0.3, tuple(clumsy.values()), 0, 0, 0, 0),
    }
    same, worse = check(ONTOLOGY, TASK, best, 150, 3, max_turns=20)
    assert same["reward"]["difference"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert worse["reward"]["difference"]["high"] < 0
    assert worse["setting"] == clumsy
    plot(list(best.values()), [same, worse], tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def folder(tmp_path: Path) -> Config:
    """A configuration with a measured NLU and nothing else."""
    config = Config(assistant=Path("assistants/restaurants"), models=tmp_path, data=tmp_path / "data")
    (config.model_dir / "nlu").mkdir(parents=True)
    (config.model_dir / "nlu" / "error_model.json").write_text(json.dumps({"semantic_error_rate": 0.2}))
    return config.model_copy(update={"policy": PolicyConfig(name="rule", thresholds="tuned")})


def test_the_command_writes_what_the_rule_policy_then_uses(
    folder: Config, assistant: Assistant, capsys: pytest.CaptureFixture[str]
) -> None:
    search = search_of("0.15,0", 3, 60, 0.01, "thompson", 0)
    thresholds(folder, search, 60, 2, None, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert [row["error_rate"] for row in report["rows"]] == [0.0, 0.15]
    assert report["trials"] == 6
    assert Path(report["picture"]).exists()
    policy = build_policy("rule", folder, assistant)
    assert isinstance(policy, RulePolicy)
    tuned = report["rows"][1]["setting"]
    assert policy.thresholds.known == tuned["known"]
    assert mask_thresholds(policy).accept == tuned["accept"]
    thresholds(folder, search, 60, 2, None, as_json=False)
    words = capsys.readouterr().out
    assert "tuned settings" in words
    assert np.isclose(policy.thresholds.near, tuned["near"])


def test_missing_and_foreign_settings_are_named(folder: Config, assistant: Assistant) -> None:
    path = folder.model_dir / TUNED_FILE
    with pytest.raises(ModelError, match=r"thresholds\.json: no such file: run `rejoinder tune thresholds`"):
        build_policy("rule", folder, assistant)
    path.write_text(json.dumps({"ontology": "x", "rows": [{"error_rate": 0, "setting": {}}]}))
    with pytest.raises(ModelError, match="tuned for another assistant"):
        build_policy("rule", folder, assistant)
    path.write_text("{}")
    with pytest.raises(ModelError, match="not tuned thresholds"):
        build_policy("rule", folder, assistant)


def test_a_stack_with_an_unknown_action_is_a_configuration_error(config: Config, assistant: Assistant) -> None:
    bad = config.model_copy(update={"policy": PolicyConfig(name="stack", rules=("bye", "fly"))})
    with pytest.raises(ConfigError, match=r"policy\.rules: no action is called 'fly'"):
        build_policy("stack", bad, assistant)
    assert build_policy("stack", config, assistant).version.startswith("rules:1+dqn:")


@pytest.mark.parametrize(
    ("rates", "acquisition", "says"),
    [("0,x", "ucb", "write numbers"), ("0,2", "ucb", "between 0 and 0.9"), ("0", "ei", "there is ucb and thompson")],
)
def test_bad_arguments_are_named(rates: str, acquisition: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        search_of(rates, 3, 100, 0.01, acquisition, 0)
