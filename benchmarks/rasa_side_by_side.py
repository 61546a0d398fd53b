"""One Rasa project, served by Rasa 3.6.21 and by Rejoinder, in one run on one machine.

    python benchmarks/rasa_side_by_side.py --rasa-python rasa36/bin/python [--project PATH] [--seconds 15]
                                           [--clients 1 8] [--only rasa|rejoinder] [--json]

Make the environment once (2.7 GB, Python 3.10):

    python3.10 -m venv rasa36 && rasa36/bin/pip install 'rasa==3.6.21'

Both train the project (by default the one that `rasa init` makes: the moodbot), then each serves it alone on the
machine: time until the first reply, replies to the same conversations, messages a second and latency over
POST /webhooks/rest/webhook with so many clients, memory and processor time of the server with its children. Clients
and server share the machine, for both alike. Exit code 1 when the replies differ.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GOLDEN = (
    ("hey", "I am feeling very good", "bye"),
    ("hello there", "I am sad", "yes", "see you later"),
    ("good morning", "I'm extremely sad", "no"),
    ("hi", "are you a bot?", "perfect", "goodbye"),
    ("/greet", "/mood_unhappy", "/deny"),
)
"""What users say; the greeting of a new conversation included."""
START_SECONDS, WARM_SECONDS = 240.0, 2.0
QUIET = {
    "RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}  # fmt: skip


@dataclass(frozen=True)
class System:
    """How one of the two trains and serves; commands may use {project}, {model} and {port}."""

    name: str
    train: tuple[str, ...]
    serve: tuple[str, ...]


@dataclass
class Load:
    """What clients saw: one latency (seconds) per message, and failures."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: int = 0

    def report(self, cpu_seconds: float) -> dict[str, Any]:
        """Throughput, percentiles, and processor time of the server for each message."""
        done = len(self.latencies)
        cuts = statistics.quantiles(self.latencies, n=100) if done > 1 else [float("nan")] * 99
        return {
            "messages_per_second": round(done / self.seconds, 1),
            "p50_ms": round(1000 * cuts[49], 1),
            "p99_ms": round(1000 * cuts[98], 1),
            "cpu_ms_per_message": round(1000 * cpu_seconds / max(done, 1), 2),
            "messages": done,
            "failures": self.failures,
        }


def systems(rasa: str) -> dict[str, System]:
    """Rasa as its documentation starts it, and Rejoinder likewise."""
    ours = (sys.executable, "-m", "bot")
    return {
        "rasa": System(
            "rasa",
            (rasa, "-m", "rasa", "train", "--out", "{model}", "--fixed-model-name", "model"),
            (rasa, "-m", "rasa", "run", "-p", "{port}", "-i", "127.0.0.1", "-m", "{model}"),
        ),
        "rejoinder": System(
            "rejoinder",
            (*ours, "train", "--assistant", "{project}", "--out", "{model}", "--json"),
            (*ours, "serve", "--assistant", "{project}", "--model", "{model}", "--port", "{port}"),
        ),
    }


def measure(system: System, project: Path, folder: Path, seconds: float, clients: Sequence[int]) -> dict[str, Any]:
    """Everything about one system."""
    own = folder / system.name
    shutil.copytree(project, own / "project")
    names = {"project": str(own / "project"), "model": str(own / "model"), "port": str(free_port())}
    found: dict[str, Any] = {"training": train(system, names, own)}
    begun = time.monotonic()
    with serving(system, names, own) as process:
        port = int(names["port"])
        wait_for_reply(port, process, own)
        found["start_seconds"] = round(time.monotonic() - begun, 1)
        found["replies"] = [[ask(port, f"golden{n}", text) for text in told] for n, told in enumerate(GOLDEN)]
        found["memory_mb_at_start"] = memory_mb(process.pid)
        for count in clients:
            drive(port, count, WARM_SECONDS)
            before = cpu_seconds(process.pid)
            load = drive(port, count, seconds)
            found[f"clients_{count}"] = load.report(cpu_seconds(process.pid) - before)
        found["memory_mb_after"] = memory_mb(process.pid)
    return found


def train(system: System, names: dict[str, str], own: Path) -> dict[str, Any]:
    """Seconds and the memory (MB) of the largest process."""
    begun = time.monotonic()
    with (own / "train.log").open("w") as log:
        process = subprocess.Popen(
            command(system.train, names), cwd=place(system, own), stdout=log, stderr=log, env=env()
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{system.name} could not train:\n{tail(own / 'train.log')}")
    return {"seconds": round(time.monotonic() - begun, 1), "memory_mb": round(usage.ru_maxrss / 1024)}


@contextmanager
def serving(system: System, names: dict[str, str], own: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The server in a session of its own."""
    with (own / "serve.log").open("w") as log:
        process = subprocess.Popen(
            command(system.serve, names),
            cwd=place(system, own),
            stdout=log,
            stderr=log,
            env=env(),
            start_new_session=True,
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def command(template: Sequence[str], names: dict[str, str]) -> list[str]:
    """The command with its places filled in."""
    return [part.format(**names) for part in template]


def place(system: System, own: Path) -> Path:
    """Rasa runs in its project's folder; Rejoinder where its own configuration is not found, so that defaults hold."""
    return own / "project" if system.name == "rasa" else own


def env() -> dict[str, str]:
    """This environment, quiet; Rejoinder is found wherever it runs."""
    return {**os.environ, **QUIET, "PYTHONPATH": str(ROOT)}


def wait_for_reply(port: int, process: subprocess.Popen[bytes], own: Path) -> None:
    """Until a message gets a reply."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            sys.exit(f"{own.name} could not serve:\n{tail(own / 'serve.log')}")
        try:
            if ask(port, "first", "/greet"):
                return
        except (OSError, http.client.HTTPException, ValueError):
            pass
        time.sleep(0.1)
    sys.exit(f"{own.name} gave no reply in {START_SECONDS:.0f} s:\n{tail(own / 'serve.log')}")


def ask(port: int, sender: str, text: str) -> list[Any]:
    """The replies to one message, without the recipient."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        return [{k: v for k, v in reply.items() if k != "recipient_id"} for reply in post(connection, sender, text)]
    finally:
        connection.close()


def post(connection: http.client.HTTPConnection, sender: str, text: str) -> list[dict[str, Any]]:
    """One request over a kept connection. ValueError when the answer is not 200."""
    body = json.dumps({"sender": sender, "message": text})
    connection.request("POST", "/webhooks/rest/webhook", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise ValueError(f"{answer.status}: {content[:200]!r}")
    replies: list[dict[str, Any]] = json.loads(content)
    return replies


def drive(port: int, clients: int, seconds: float) -> Load:
    """Clients talk, each one conversation after another, until the time is up."""
    load, begun = Load(), time.monotonic()
    threads = [
        threading.Thread(target=talk, args=(port, f"{begun}-{n}", begun + seconds, load)) for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.monotonic() - begun
    return load


def talk(port: int, name: str, end: float, load: Load) -> None:
    """One client: the golden conversations in turn, each with a sender of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    turn = 0
    while time.monotonic() < end:
        for text in GOLDEN[turn % len(GOLDEN)]:
            begun = time.monotonic()
            if begun >= end:
                break
            try:
                if not post(connection, f"{name}-{turn}", text):
                    raise ValueError("no reply")
                load.latencies.append(time.monotonic() - begun)
            except (OSError, http.client.HTTPException, ValueError):
                load.failures += 1
                connection.close()
        turn += 1
    connection.close()


def family(pid: int) -> Iterator[Path]:
    """/proc of a process and of all below it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(int(fields(stat)[1]), []).append(int(stat.parent.name))
        except OSError:
            continue
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        waiting += parents.get(one, [])
        yield Path("/proc") / str(one)


def fields(stat: Path) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state, parent, ..."""
    return stat.read_text().rpartition(")")[2].split()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children."""
    ticks = sum(int(t) for one in family(pid) for t in fields(one / "stat")[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> int:
    """Resident memory of a process and its children."""
    pages = sum(int((one / "statm").read_text().split()[1]) for one in family(pid))
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def tail(log: Path) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def initial_project(rasa: str) -> Path:
    """The project that `rasa init` copies."""
    code = "import importlib.util as u; print(u.find_spec('rasa').submodule_search_locations[0])"
    found = subprocess.run([rasa, "-c", code], capture_output=True, text=True, check=False)
    if found.returncode:
        sys.exit(f"{rasa} has no rasa. Install it there: pip install 'rasa==3.6.21'")
    return Path(found.stdout.strip()) / "cli" / "initial_project"


def machine() -> str:
    """The processor and the number of its cores, for a table's caption."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = names[0].partition(": ")[2] if names else platform.machine()
    return f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def compare(found: dict[str, Any]) -> None:
    """Adds what became of Rejoinder's figures against Rasa's."""
    rasa, ours = found.get("rasa"), found.get("rejoinder")
    if rasa is None or ours is None:
        return
    found["different_replies"] = [
        {"message": text, "conversation": list(told), "rasa": theirs, "rejoinder": mine}
        for told, rasas, mines in zip(GOLDEN, rasa["replies"], ours["replies"], strict=True)
        for text, theirs, mine in zip(told, rasas, mines, strict=True)
        if theirs != mine
    ]
    found["throughput_ratio"] = {
        name: round(ours[name]["messages_per_second"] / rasa[name]["messages_per_second"], 1)
        for name in ours
        if name.startswith("clients_") and rasa[name]["messages_per_second"]
    }


def print_table(found: dict[str, Any]) -> None:
    """The figures side by side."""
    names = [name for name in ("rasa", "rejoinder") if name in found]
    rows = [("training, s", "training", "seconds"), ("training, MB", "training", "memory_mb")]
    rows += [("start to first reply, s", "start_seconds", ""), ("memory serving, MB", "memory_mb_after", "")]
    for key in [key for key in found[names[0]] if key.startswith("clients_")]:
        count = key.partition("_")[2]
        for unit in ("messages_per_second", "p50_ms", "p99_ms", "cpu_ms_per_message", "failures"):
            rows.append((f"{count} clients, {unit}", key, unit))
    print(f"{found['machine']}; {found['project']}")
    print(f"{'':34}" + "".join(f"{name:>12}" for name in names))
    for title, key, inner in rows:
        values = [found[name][key][inner] if inner else found[name][key] for name in names]
        print(f"{title:34}" + "".join(f"{value:>12}" for value in values))
    if "different_replies" in found:
        total = sum(len(told) for told in GOLDEN)
        print(f"{total - len(found['different_replies'])} of {total} replies are the same")
        for case in found["different_replies"]:
            print(f"  {case['message']!r} of {case['conversation']}:\n    {case['rasa']}\n    {case['rejoinder']}")


def main() -> int:
    """Run once; print a table or, with --json, everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rasa-python", required=True, help="interpreter that has rasa 3.6.21")
    parser.add_argument("--project", type=Path, help="a Rasa 3 project; default: what `rasa init` makes")
    parser.add_argument("--seconds", type=float, default=15.0, help="of load for each number of clients")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--only", choices=("rasa", "rejoinder"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    project = args.project or initial_project(args.rasa_python)
    found: dict[str, Any] = {"machine": machine(), "project": project.name}
    with tempfile.TemporaryDirectory() as folder:
        for name, system in systems(args.rasa_python).items():
            if args.only in (None, name):
                print(f"{name}: training and serving", file=sys.stderr)
                found[name] = measure(system, project, Path(folder), args.seconds, args.clients)
    compare(found)
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        print_table(found)
    return int(bool(found.get("different_replies")))


if __name__ == "__main__":
    sys.exit(main())
