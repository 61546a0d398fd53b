"""A nightly Airflow DAG: learn on from finished dialogues, score, export and report.

Put this file into Airflow's folder of DAGs and set the Airflow variable ``rejoinder_home`` to the folder with
config.yml and the virtual environment. Every task may be run again: none leaves half a file behind. Without Airflow,
the same as a crontab line:

    15 3 * * *  cd /srv/rejoinder && .venv/bin/rejoinder batch --json >> batch.log 2>&1
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

HOME = "{{ var.value.rejoinder_home }}"


def rejoinder(task: str, arguments: str) -> BashOperator:
    """One command of rejoinder as a task; its JSON report is the task's log."""
    command = f"cd {HOME} && exec .venv/bin/rejoinder {arguments} --json"
    return BashOperator(task_id=task, bash_command=command, append_env=True)


with DAG(
    dag_id="rejoinder_nightly",
    description="What changes slowly, worked out while people sleep",
    schedule="15 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10), "execution_timeout": timedelta(hours=2)},
) as dag:
    learn = rejoinder("learn", "learn --once")
    score = rejoinder("batch", "batch")
    export = rejoinder("export", "log export --parquet exported")
    report = rejoinder("report", "report --out report.html")
    [learn, score, export] >> report
