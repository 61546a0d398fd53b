"""`rejoinder evaluate selection` and `benchmark blending`: reports, resuming, and plain words for bad input."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.commands.evaluate_selection import LOGS
from bot.errors import explain
from policies.ranking.open_bandit import COLUMNS, USER_COLUMNS, OpenBanditError, read_open_bandit

DATA = Path(os.environ.get("REJOINDER_DATA", Path(__file__).parents[3] / "shared" / "data")) / "open_bandit"


def call(*options):
    return CliRunner().invoke(app, [str(option) for option in options])


def write(folder, policy, rows, columns=(*COLUMNS, *USER_COLUMNS)):
    path = folder / policy / "shop" / "shop.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def row(item, position=1, click=0, propensity=0.5):
    return {"item_id": item, "position": position, "click": click, "propensity_score": propensity} | dict.fromkeys(
        USER_COLUMNS, "x"
    )


@pytest.fixture
def shop(tmp_path):
    """Two items; item 1 is clicked in 40 %, item 0 in 10 %; random shows both alike, bts mostly item 1."""
    rng = np.random.default_rng(0)
    for policy, share in (("random", 0.5), ("bts", 0.9)):
        rows = []
        for _ in range(600):
            item = int(rng.random() < share)
            click = int(rng.random() < (0.4 if item else 0.1))
            rows.append(row(item, int(rng.integers(1, 4)), click, share if item else 1 - share))
        write(tmp_path, policy, rows)
    return tmp_path


def test_each_policy_is_estimated_from_the_others_log(shop):
    result = call("evaluate", "selection", "--log", "open_bandit", shop, "--resamples", 200, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)["campaigns"]["shop"]
    found = {(e["log"], e["estimator"]): e for e in report["estimates"]}
    assert set(found) == {(log, e) for log in ("random", "bts") for e in ("replay", "ips", "snips", "dr")}
    assert "uniformly" in found["bts", "replay"]["refused"]
    for estimate in found.values():
        if "refused" not in estimate:
            truth = 0.25 if estimate["target"] == "random" else 0.37
            assert estimate["low"] < truth < estimate["high"]
            assert estimate["on_policy"] == report["on_policy"][estimate["target"]]["value"]
            assert estimate["rows"] == 600


def test_the_table_says_what_was_refused(shop):
    result = call("evaluate", "selection", shop, "--resamples", 100)
    assert result.exit_code == 0
    assert "refused" in result.stdout
    assert "campaign shop" in result.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"propensity_score": 0}, "line 3, propensity_score: 0 can't be"),
        ({"propensity_score": 1.5}, "line 3, propensity_score: 1.5 must be a number from 0 to 1"),
        ({"propensity_score": "nan"}, "line 3, propensity_score"),
        ({"click": 2}, "line 3, click"),
        ({"click": ""}, "line 3, click: '' is not a number"),
        ({"position": 0}, "line 3, position"),
        ({"item_id": 1.5}, "line 3, item_id: 1.5 must be a whole number"),
    ],
)
def test_a_damaged_row_is_named(shop, change, said):
    write(shop, "bts", [row(0), {**row(1), **change}])
    with pytest.raises(OpenBanditError, match=said):
        read_open_bandit(shop)
    assert explain(OpenBanditError("so")) == "so"


def test_missing_columns_empty_logs_and_wrong_folders_are_named(shop, tmp_path_factory):
    write(shop, "bts", [row(0)], columns=("item_id", "position", "click"))
    with pytest.raises(OpenBanditError, match="line 1: column propensity_score is missing"):
        read_open_bandit(shop)
    write(shop, "bts", [])
    with pytest.raises(OpenBanditError, match="no rows"):
        read_open_bandit(shop)
    (shop / "bts" / "shop" / "shop.csv").rename(shop / "bts" / "shop" / "shop.csv.xz")
    with pytest.raises(OpenBanditError, match="can't be read"):
        read_open_bandit(shop)
    for folder in (tmp_path_factory.mktemp("none"), shop / "nowhere"):
        with pytest.raises(OpenBanditError, match="random/ and bts/"):
            read_open_bandit(folder)


def test_unknown_formats_are_refused(shop):
    result = call("evaluate", "selection", shop, "--log", "parquet")
    assert result.exit_code != 0
    assert LOGS[0] in str(result.exception)


@pytest.mark.skipif(not DATA.exists(), reason="the Open Bandit sample is not there (REJOINDER_DATA)")
def test_the_public_sample_is_read():
    (campaign,) = [c for c in read_open_bandit(DATA) if c.name == "men"]
    assert {name: log.rewards.sum() for name, log in campaign.feedback.items()} == {"random": 46, "bts": 69}
    assert campaign.feedback["random"].uniform
    assert campaign.target("bts", "random").shape == (10_000, 34)


def test_blending_is_measured_and_goes_on_from_what_is_there(tmp_path, monkeypatch):
    from policies.ranking import pools_methods
    from policies.ranking.pools_simulation import Scene

    small = {"stationary": Scene(users=3, turns=40), "drift": Scene(users=3, turns=40, drift=True)}
    monkeypatch.setattr("bot.commands.benchmark_blending.SCENES", small)
    monkeypatch.setattr(pools_methods, "SCENES", small)
    out = tmp_path / "runs" / "blending.jsonl"
    options = ("benchmark", "blending", "--methods", "win-share; even", "--out", out, "--json")
    first = json.loads(call(*options, "--seeds", 1).stdout)
    assert {(c["scene"], c["method"]) for c in first["cells"]} == {
        (scene, method) for scene in small for method in ("win-share", "even", "fixed", "fixed, hindsight")
    }
    assert first["decision"]["order_kept"] == 1
    kept = out.read_text()
    again = json.loads(call(*options, "--seeds", 2).stdout)
    assert out.read_text().startswith(kept)
    assert len(out.read_text().splitlines()) == 16
    assert [cell["seeds"] for cell in again["cells"]] == [2] * 8
    assert out.with_suffix(".md").read_text().count("\n") == 10
    assert out.with_suffix(".png").exists()
    wrong = call("benchmark", "blending", "--methods", "magic", "--out", out)
    assert "win-share" in str(wrong.exception)
