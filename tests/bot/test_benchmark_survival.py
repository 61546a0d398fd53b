"""`rejoinder benchmark survival`: a row a data set, and plain words where there is none."""

import json
from functools import partial

from typer.testing import CliRunner

from bot.__main__ import app
from policies.ranking.latent import return_times


def test_both_models_are_scored_on_simulated_users_and_on_tables(tmp_path, monkeypatch):
    monkeypatch.setattr("bot.commands.benchmark_survival.SIMULATED_USERS", 60)
    quick = partial(return_times.HazardSettings, updates=5, members=1, hidden=4)
    monkeypatch.setattr(return_times, "HazardSettings", quick)
    rows = "".join(f"{1 + n % 17},{int(n % 3 > 0)},{n % 7},{(n * 5) % 11}\n" for n in range(60))
    (tmp_path / "regression.csv").write_text("T,E,var1,var2\n" + rows)
    result = CliRunner().invoke(app, ["benchmark", "survival", "--data", str(tmp_path), "--seeds", "1", "--json"])
    assert result.exit_code == 0, result.output
    sets = json.loads(result.stdout)["sets"]
    assert [row["name"] for row in sets] == ["simulated users", "regression"]
    for row in sets:
        assert 0 <= min(row["cox"], row["lstm"]) <= max(row["cox"], row["lstm"]) <= 1
        assert row["rows"] == 60
        assert abs(row["difference"] - (row["lstm"] - row["cox"])) < 1e-9


def test_a_folder_without_a_known_table_is_refused(tmp_path):
    result = CliRunner().invoke(app, ["benchmark", "survival", "--data", str(tmp_path)])
    assert result.exit_code != 0
    assert "rossi.csv" in str(result.exception)
