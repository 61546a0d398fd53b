"""An exported bundle in a real browser: WebAssembly gives the server's numbers, and the memory answers there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from bot.assistant import Assistant
from bot.export.bundle import Bundle, Feed, read_bundle
from bot.export.measure import SCRIPT, job, largest_difference
from bot.export.web_runtime import MODULE, web_runtime
from bot.npm_package import NpmPackageError
from memory.dnc.reader import StoryMemory
from memory.dnc.words import Names
from tests.bundles import QUESTIONS, SENTENCES, STORY, export, write_models
from tests.e2e.conftest import Watched

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-4
MEASURE = f"""async (jobs) => {{
  const ort = await import("/runtime/{MODULE}");
  const {{ measure }} = await import("/{SCRIPT.name}");
  const read = async (file) => new Uint8Array(await (await fetch(file)).arrayBuffer());
  return measure(ort, read, jobs);
}}"""
READ = """async ({ rules, settings, words, meaningful, stories }) => {
  const { Reading } = await import("/story_memory.js");
  const reading = new Reading(rules, settings, words, meaningful);
  return stories.map((story) => {
    const numbers = new Map();
    return [story.map((sentence) => reading.encode(numbers, sentence)), reading.meanings(numbers)];
  });
}"""

ASK = f"""async ({{ statements, questions }}) => {{
  const ort = await import("/runtime/{MODULE}");
  const {{ StoryMemory }} = await import("/story_memory.js");
  ort.env.wasm.numThreads = 1;
  const memory = await StoryMemory.open(ort, `${{location.origin}}/bundle`);
  let state = memory.empty();
  for (const statement of statements) state = await memory.write(state, statement);
  const answers = [];
  for (const question of questions) answers.push(await memory.ask(state, question));
  return answers;
}}"""


class Files(SimpleHTTPRequestHandler):
    """The example page, the bundle and the runtime under one address; nothing else, and nothing logged."""

    def __init__(self, folders: dict[str, Path], *arguments: Any) -> None:
        self.folders = folders
        super().__init__(*arguments)

    def translate_path(self, path: str) -> str:
        path = path.partition("?")[0].strip("/") or "index.html"
        first, _, rest = path.partition("/")
        if first in self.folders:
            return str(self.folders[first] / rest)
        return str(SCRIPT if path == SCRIPT.name else ROOT / "examples/browser" / path)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def bundle(assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    config = write_models(tmp_path_factory.mktemp("models"), assistant)
    out = tmp_path_factory.mktemp("exported") / "bundle"
    export(config, assistant, out)
    return read_bundle(out)


@pytest.fixture(scope="module")
def address(bundle: Bundle) -> Iterator[str]:
    try:
        runtime = web_runtime()
    except NpmPackageError as error:
        pytest.skip(f"ONNX Runtime for browsers is missing and can't be fetched: {error}")
    folders = {"bundle": bundle.folder, "runtime": runtime}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, folders))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def page(context: Any, address: str) -> Iterator[Any]:
    """The example page, which must never ask for anything from elsewhere."""
    watched = Watched(context.new_page(), (address,))
    watched.watch()
    watched.page.set_default_timeout(60_000)
    watched.page.goto(address)
    yield watched.page
    watched.assert_clean()


class Heard:
    """A session that keeps what it was asked to run."""

    def __init__(self, session: Any) -> None:
        self.session, self.feeds = session, []

    def run(self, names: Any, feed: Feed) -> Any:
        self.feeds.append(feed)
        return self.session.run(names, feed)


def real_feeds(bundle: Bundle) -> dict[str, Feed]:
    """By role, inputs that come up at work: a sentence, features, the last statement and question of a story."""
    tokenizer = Tokenizer.from_file(str(bundle.folder / "encoder/tokenizer.json"))
    tokenizer.no_padding()
    ids = np.array([tokenizer.encode(SENTENCES[0]).ids])
    rng = np.random.default_rng(0)
    memory = StoryMemory.load(bundle.folder / "memory")
    memory._write, memory._read = Heard(memory._write), Heard(memory._read)
    state = memory.empty()
    for statement in STORY:
        state = memory.write(state, statement)
    memory.ask(state, next(iter(QUESTIONS)))
    return {
        "encoder": {**bundle.network("encoder").sample_inputs(rng, tokens=ids.shape[1]), "input_ids": ids},
        "policy": bundle.network("policy").sample_inputs(rng, batch=3),
        "memory_write": memory._write.feeds[-1],
        "memory_read": memory._read.feeds[-1],
    }


def test_every_network_gives_the_same_numbers(page: Any, bundle: Bundle) -> None:
    feeds = real_feeds(bundle)
    jobs = [job(bundle, file, feeds[file.role], repeats=5) for file in bundle.networks]
    for file, prepared in zip(bundle.networks, jobs, strict=True):
        prepared["file"] = f"/bundle/{file.file}"
    for file, result in zip(bundle.networks, page.evaluate(MEASURE, jobs), strict=True):
        outputs = bundle.session(file).run(None, feeds[file.role])
        difference = largest_difference(file, outputs, result["outputs"])
        print(f"{file.file}: opened in {result['load_ms']:.0f} ms, run in {result['p50_ms']:.3f} ms, {difference:.1e}")
        assert difference < TOLERANCE, file.file
        assert any(np.abs(output).max() > 100 * TOLERANCE for output in outputs), "all but zero: nothing was compared"


def stories() -> list[list[str]]:
    """Sentences of many kinds, five to a story, as names last as long as a story."""
    lines = (ROOT / "tests/bot/remembering_messages.txt").read_text(encoding="utf-8").splitlines()
    sentences = [*STORY, *QUESTIONS, *SENTENCES, *(line.rpartition("|")[2] for line in lines if line.strip())]
    sentences += [
        "My brother Tom's at the café. Tom’s bag is blue.",
        "I gave Tom the box of the chocolates, milk, bread",
    ]
    sentences += [
        "",
        "?!",
        "the the a",
        "my sisters phone",
        "Where's the bag? At 7:30",
        "constructor toString __proto__",
    ]
    return [sentences[i : i + 5] for i in range(0, len(sentences), 5)]


def test_the_page_takes_sentences_apart_as_the_server_does(page: Any, bundle: Bundle) -> None:
    memory = StoryMemory.load(bundle.folder / "memory")
    manifest = json.loads((bundle.folder / "memory/manifest.json").read_text())
    told = stories()
    given = {
        "rules": dict(bundle.story_reading),
        "settings": memory.settings,
        "words": manifest["words"],
        "meaningful": manifest["meaningful"],
        "stories": told,
    }
    for story, (found, meanings) in zip(told, page.evaluate(READ, given), strict=True):
        names = Names(memory.lexicon, memory.settings["identities"])
        assert found == [names.encode(sentence, memory.settings["length"]) for sentence in story], story
        assert meanings == names.meanings(), story


def test_answers_are_as_certain_as_the_servers(page: Any, bundle: Bundle) -> None:
    memory = StoryMemory.load(bundle.folder / "memory")
    statements, questions = [*STORY, "...", "John went to the hallway."], [*QUESTIONS, "Where is my umbrella?", "???"]
    state = memory.empty()
    for statement in statements:
        state = memory.write(state, statement)
    found = page.evaluate(ASK, {"statements": statements, "questions": questions})
    for question, answer in zip(questions, found, strict=True):
        wanted = memory.ask(state, question)
        assert answer["text"] == (wanted.text and wanted.text.lower()), question
        # log-odds magnify the last digit of a chance near 1
        assert answer["confidence"] == pytest.approx(wanted.confidence, abs=2e-3), question


def test_the_page_remembers_where_the_passport_is(page: Any) -> None:
    said = page.get_by_label("You:")

    def say(text: str) -> None:
        said.fill(text)
        page.get_by_role("button", name="Say").click()

    lines = page.get_by_role("listitem")
    for spoken, statement in enumerate(STORY):
        say(statement)
        lines.nth(spoken).wait_for()
    for asked, (question, answer) in enumerate(QUESTIONS.items()):
        say(question)
        line = lines.nth(len(STORY) + 2 * asked + 1)
        line.wait_for()
        assert line.inner_text().startswith(f"{answer} ("), line.inner_text()
    say("Where is my umbrella?")
    lines.nth(len(STORY) + 2 * len(QUESTIONS) + 1).wait_for()
    assert lines.last.inner_text() == "I don't know."
