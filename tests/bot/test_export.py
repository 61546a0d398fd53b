"""A bundle holds what the server runs: each file, run from its manifest alone, is compared with the server's part."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from bot.assistant import Assistant
from bot.commands.export import export as report
from bot.config import Config
from bot.export.build import ExportSettings, build_bundle
from bot.export.build import _try as try_file
from bot.export.bundle import Bundle, BundleError, BundleFile, TensorSpec, open_session, read_bundle
from bot.export.measure import measure
from bot.export.precision import TOLERANCE, halve_weights, story_difference
from bot.nlu.encoder import Encoder, mean_pool
from bot.npm_package import NpmPackageError
from bot.task import task_of
from memory.dnc.reader import SHIPPED, StoryMemory
from policies.export import ModelError, OnnxPolicy
from simulator.noise import ErrorModel
from simulator.simulation import DialogueSimulation, SimulationSettings
from tests.bundles import QUESTIONS, SENTENCES, STORY, edit, export, write_models

ROOT = Path(__file__).parents[2]
NETWORKS = ("encoder", "policy", "memory_write", "memory_read")


@pytest.fixture(scope="module")
def light(assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Config:
    return write_models(tmp_path_factory.mktemp("models"), assistant)


@pytest.fixture(scope="module")
def bundle(light: Config, assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("exported") / "bundle"
    export(light, assistant, out)
    return read_bundle(out)


@pytest.fixture(scope="module")
def half(light: Config, assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("halved") / "bundle"
    export(light, assistant, out, "fp16")
    return read_bundle(out)


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.folder, tmp_path / "copy"))


def run(bundle: Bundle, role: str, feed: dict[str, Any]) -> list[np.ndarray]:
    return list(bundle.session(bundle.network(role)).run(None, feed))


# --- the same numbers as the server's own parts


def test_encoder_gives_the_servers_vectors(bundle: Bundle, light: Config) -> None:
    served = Encoder(light.model_dir / "nlu" / "encoder").encode(SENTENCES)
    tokenizer = Tokenizer.from_file(str(bundle.folder / "encoder/tokenizer.json"))
    tokenizer.no_padding()
    entry = bundle.network("encoder")
    for sentence, wanted in zip(SENTENCES, served, strict=True):
        ids = np.array([tokenizer.encode(sentence).ids])
        feed = entry.sample_inputs(np.random.default_rng(0), tokens=ids.shape[1])  # masks and types have one value
        states = run(bundle, "encoder", {**feed, "input_ids": ids})[0]
        np.testing.assert_allclose(mean_pool(states, feed["attention_mask"])[0], wanted, atol=1e-6)


def beliefs(assistant: Assistant, turns: int) -> Any:
    """Simulated dialogues some turns on, with users who are misheard."""
    settings = SimulationSettings(task=task_of(assistant), errors=(ErrorModel.at(0.3),))
    simulation = DialogueSimulation(assistant.ontology, settings, range(64))
    rng = np.random.default_rng(turns)
    for _ in range(turns):
        masks = simulation.masks()
        simulation.step(np.argmax(masks * rng.random(masks.shape), axis=1).astype(np.int32))
    return simulation.belief, simulation.masks()


@pytest.mark.parametrize("turns", [0, 3, 8])
def test_policy_decides_as_the_server_does(bundle: Bundle, light: Config, assistant: Assistant, turns: int) -> None:
    served = OnnxPolicy.load(light.model_dir / "policy", assistant.ontology)
    features = bundle.network("policy").sample_inputs(np.random.default_rng(turns), batch=5)["features"]
    np.testing.assert_array_equal(run(bundle, "policy", {"features": features})[0], served.values(features))
    belief, masks = beliefs(assistant, turns)
    wanted = served.act(belief, masks, np.random.default_rng(0))
    values = run(bundle, "policy", {"features": served._featurizer(belief)})[0]
    assert np.where(masks, values, -np.inf).argmax(axis=1).tolist() == wanted.actions.tolist()
    actions = json.loads((bundle.folder / "policy/manifest.json").read_text())["actions"]
    assert tuple(actions) == served.manifest.actions


def test_memory_answers_the_story_as_the_server_does(bundle: Bundle) -> None:
    served, exported = StoryMemory.load(SHIPPED), StoryMemory.load(bundle.folder / "memory")
    states = [memory.empty() for memory in (served, exported)]
    for statement in STORY:
        states = [memory.write(state, statement) for memory, state in zip((served, exported), states, strict=True)]
    np.testing.assert_array_equal(states[0].relations, states[1].relations)
    for question, wanted in QUESTIONS.items():
        answers = [memory.ask(state, question) for memory, state in zip((served, exported), states, strict=True)]
        assert answers[0] == answers[1]
        assert answers[0].text == wanted


@pytest.mark.parametrize(("role", "graph"), [("memory_write", "_write"), ("memory_read", "_read")])
@pytest.mark.parametrize("rows", [1, 30])
def test_memory_graphs_run_from_the_manifest_alone(bundle: Bundle, role: str, graph: str, rows: int) -> None:
    feed = bundle.network(role).sample_inputs(np.random.default_rng(rows), rows=rows)
    wanted = getattr(StoryMemory.load(SHIPPED), graph).run(None, feed)
    for spec, found, served in zip(bundle.network(role).outputs, run(bundle, role, feed), wanted, strict=True):
        np.testing.assert_array_equal(found, served)
        assert found.dtype == spec.dtype
        assert [n for n, s in zip(found.shape, spec.shape, strict=True) if isinstance(s, int)] == [
            s for s in spec.shape if isinstance(s, int)
        ]


def test_its_folders_open_as_the_servers_own(bundle: Bundle, assistant: Assistant) -> None:
    assert Encoder(bundle.folder / "encoder").size == 384
    assert OnnxPolicy.load(bundle.folder / "policy", assistant.ontology).version == bundle.network("policy").version


# --- the manifest


def test_manifest_describes_every_file(bundle: Bundle, assistant: Assistant) -> None:
    listed = {file.file: file for file in bundle.files}
    on_disk = {str(p.relative_to(bundle.folder)) for p in bundle.folder.rglob("*") if p.is_file()}
    assert on_disk == {*listed, "manifest.json"}
    for path, file in listed.items():
        assert (bundle.folder / path).stat().st_size == file.bytes
        assert file.licence
    assert {file.role for file in bundle.networks} == set(NETWORKS)
    assert bundle.ontology == assistant.ontology.fingerprint
    for file in bundle.networks:
        model = onnx.load(str(bundle.folder / file.file))
        assert [i.name for i in model.graph.input] == [spec.name for spec in file.inputs]
        assert file.opset == next(o.version for o in model.opset_import if not o.domain)
        assert file.ir_version == model.ir_version
        assert file.version
        assert file.trained_on
        # what the pinned runtime of browsers reads, and no operators beyond ONNX's own
        assert (file.opset or 99) <= 24
        assert (file.ir_version or 99) <= 12
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}


def test_encoder_is_licensed_and_the_rest_is_ours(bundle: Bundle) -> None:
    assert bundle.network("encoder").licence.startswith("Apache-2.0")
    assert "no pretrained weights" in bundle.network("policy").licence
    assert "Apache-2.0" in bundle.network("memory_read").licence


SIZES = st.one_of(st.integers(1, 4), st.sampled_from(["batch", "rows"]))


@given(
    st.sampled_from(["float32", "float64", "int64", "int32", "bool"]),
    st.lists(SIZES, max_size=3),
    st.integers(-5, 5),
    st.integers(0, 9),
    st.integers(1, 3),
)
def test_samples_fit_their_description(dtype: str, shape: list[int | str], low: int, width: int, rows: int) -> None:
    spec = TensorSpec("x", dtype, tuple(shape), None if dtype == "bool" else (low, low + width))
    made = spec.sample({"rows": rows}, np.random.default_rng(0))
    assert made.dtype == dtype
    assert made.shape == tuple(
        {"rows": rows, "batch": 1}.get(size, size) if isinstance(size, str) else size for size in shape
    )
    if dtype != "bool":
        assert ((low <= made) & (made <= low + width)).all()


# --- half precision


def test_halved_bundle_is_half_as_large_and_answers_alike(bundle: Bundle, half: Bundle) -> None:
    for role in ("policy", "memory_write", "memory_read"):
        assert half.network(role).precision == "fp16"
        assert half.network(role).sha256 != bundle.network(role).sha256
        assert half.network(role).bytes < 0.55 * bundle.network(role).bytes
    features = bundle.network("policy").sample_inputs(np.random.default_rng(1), batch=8)
    moved = np.abs(run(bundle, "policy", features)[0] - run(half, "policy", features)[0]).max()
    assert 0 < moved <= TOLERANCE
    assert half.network("encoder").sha256 == bundle.network("encoder").sha256
    whole, halved = (StoryMemory.load(b.folder / "memory") for b in (bundle, half))
    states = [whole.empty(), halved.empty()]
    for statement in STORY:
        states = [memory.write(state, statement) for memory, state in zip((whole, halved), states, strict=True)]
    for question, wanted in QUESTIONS.items():
        one, other = whole.ask(states[0], question), halved.ask(states[1], question)
        assert one.text == other.text == wanted
        assert abs(one.confidence - other.confidence) <= TOLERANCE


def test_half_precision_that_changes_answers_is_refused(
    light: Config, assistant: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.export.precision.TOLERANCE", 0.0)
    monkeypatch.setattr("bot.export.build.TOLERANCE", 0.0)
    with pytest.raises(BundleError, match=r"in half precision an output moves by .* export with --precision fp32"):
        export(light, assistant, tmp_path / "out", "fp16")
    assert list(tmp_path.iterdir()) == []
    whole = StoryMemory.load(SHIPPED)
    other = StoryMemory.load(SHIPPED)
    assert story_difference(whole, other) == 0.0
    other.calibration = replace(other.calibration, threshold=1.0)  # it never answers
    assert story_difference(whole, other) == np.inf


def linear(weight: np.ndarray) -> bytes:
    """y = x W as an ONNX model."""
    size = len(weight)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, weight.shape[1]])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def test_only_weights_that_fit_are_halved() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(40, 40)).astype(np.float32)
    halved = halve_weights(linear(weight))
    assert len(halved) < 0.6 * len(linear(weight))
    x = rng.normal(size=(1, 40)).astype(np.float32)
    rounded = weight.astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(open_session(halved).run(None, {"x": x})[0], x @ rounded, atol=1e-4)
    large = weight.copy()
    large[0, 0] = 1e6  # beyond float16
    np.testing.assert_array_equal(
        open_session(halve_weights(linear(large))).run(None, {"x": x})[0],
        open_session(linear(large)).run(None, {"x": x})[0],
    )


# --- whole or not at all


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_failed_export_leaves_nothing_and_keeps_the_earlier_bundle(
    light: Config, assistant: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bundle"
    export(light, assistant, out)
    before = everything_in(out)

    def fails(bundle: Bundle, file: BundleFile) -> None:
        assert (bundle.folder / file.file).is_file()  # all is written, nothing has its name yet
        raise BundleError(f"{file.file}: does not run")

    monkeypatch.setattr("bot.export.build._try", fails)
    with pytest.raises(BundleError, match="does not run"):
        export(light, assistant, out, force=True)
    assert everything_in(out) == before
    with pytest.raises(BundleError, match="does not run"):
        export(light, assistant, tmp_path / "second")
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_a_file_whose_numbers_are_not_finite_is_not_exported(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "linear.onnx").write_bytes(linear(np.full((4, 4), np.nan, np.float32)))
    shape = TensorSpec("x", "float32", (1, 4)), TensorSpec("y", "float32", (1, 4))
    file = BundleFile("linear.onnx", "policy", "", 0, "", shape[:1], shape[1:])
    with pytest.raises(BundleError, match=r"linear\.onnx: its output 'y' is not finite"):
        try_file(replace(bundle, folder=tmp_path), file)
    (tmp_path / "linear.onnx").write_bytes(linear(np.ones((5, 4), np.float32)))
    with pytest.raises(BundleError, match=r"linear\.onnx: does not run"):
        try_file(replace(bundle, folder=tmp_path), file)


def test_export_is_reproducible_and_force_replaces(light: Config, assistant: Assistant, copy: Path) -> None:
    before = everything_in(copy)
    (copy / "policy/policy.onnx").write_bytes(b"old")
    (copy / "left over").write_text("old")
    export(light, assistant, copy, force=True)
    assert everything_in(copy) == before


def test_folder_in_use_is_refused(light: Config, assistant: Assistant, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not empty"):
        export(light, assistant, copy)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="--force does not delete"):
        export(light, assistant, other, force=True)
    assert (other / "thesis.txt").read_text() == "years of work"
    with pytest.raises(BundleError, match="is a file"):
        export(light, assistant, other / "thesis.txt")
    (other / "thesis.txt").unlink()
    export(light, assistant, other)  # an empty folder is fine
    read_bundle(other)


@pytest.mark.parametrize("part", ["nlu", "policy"])
def test_untrained_parts_are_named(light: Config, assistant: Assistant, tmp_path: Path, part: str) -> None:
    models = Path(shutil.copytree(light.models, tmp_path / "models"))
    shutil.rmtree(models / assistant.name / part)
    with pytest.raises(BundleError, match=r"nothing is trained for 'restaurants': run `rejoinder train`"):
        export(light.model_copy(update={"models": models}), assistant, tmp_path / "out")


def test_damaged_policy_is_not_exported(light: Config, assistant: Assistant, tmp_path: Path) -> None:
    models = Path(shutil.copytree(light.models, tmp_path / "models"))
    path = models / assistant.name / "policy/policy.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="sha256 differs"):
        export(light.model_copy(update={"models": models}), assistant, tmp_path / "out")


def test_encoder_of_unknown_licence_needs_the_exporters_word(
    light: Config, assistant: Assistant, tmp_path: Path
) -> None:
    models = Path(shutil.copytree(light.models, tmp_path / "models"))
    edit(models / assistant.name / "nlu/encoder", name="somebody/encoder")
    config = light.model_copy(update={"models": models})
    with pytest.raises(BundleError, match=r"'somebody/encoder' may be handed on.*--encoder-licence"):
        export(config, assistant, tmp_path / "out")
    settings = ExportSettings(encoder_licence="MIT")
    made = build_bundle(config, assistant, tmp_path / "out", settings, lambda share, what: None)
    assert made.network("encoder").licence == "MIT"


# --- damaged bundles


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "file", ["policy/policy.onnx", "memory/read.onnx", "encoder/tokenizer.json", "memory/manifest.json"]
)
def test_changed_or_missing_files_are_named(copy: Path, file: str) -> None:
    flip(copy / file)
    with pytest.raises(BundleError, match=rf"{file}: sha256 differs"):
        read_bundle(copy)
    (copy / file).unlink()
    with pytest.raises(BundleError, match=rf"{file}: no such file"):
        read_bundle(copy)


def leads_out(manifest: dict[str, Any]) -> None:
    manifest["files"][0]["file"] = "../../secret"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest.update(format="rejoinder-bundle/2"), "format 'rejoinder-bundle/2'"),
        (lambda manifest: manifest.pop("files"), "not the manifest of a bundle"),
        (lambda manifest: manifest.update(files=[1]), "not the manifest of a bundle"),
        (lambda manifest: manifest["files"][0].pop("sha256"), "not the manifest of a bundle"),
        (leads_out, "leads out of the bundle"),
    ],
)
def test_wrong_manifests_are_refused(copy: Path, change: Callable[[dict[str, Any]], object], said: str) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    change(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=said):
        read_bundle(copy)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null"])
def test_garbage_for_a_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest\.json: not the manifest of a bundle"):
        read_bundle(tmp_path)


def test_no_bundle_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="rejoinder export --out"):
        read_bundle(tmp_path)


# --- measuring and the command


def test_latency_here_and_under_webassembly(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(bundle, files=(bundle.network("policy"), bundle.network("memory_write")))
    measured, missing = measure(small, 2, lambda share, what: None)
    assert [m.file for m in measured] == ["policy/policy.onnx", "memory/write.onnx"]
    assert all(m.p50_ms > 0 and m.load_ms > 0 for m in measured)
    if missing is None:
        assert all(m.wasm_p50_ms and m.difference is not None and m.difference < 1e-4 for m in measured)

    def offline() -> Path:
        raise NpmPackageError("could not fetch onnxruntime-web")

    monkeypatch.setattr("bot.export.measure.web_runtime", offline)
    measured, missing = measure(small, 2, lambda share, what: None)
    assert missing is not None
    assert "could not fetch" in missing
    assert measured[0].wasm_p50_ms is None


def command(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bot", "export", *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_report_in_words(light: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bundle"
    report(light, out, ExportSettings(), measured=False, as_json=False)
    said = capsys.readouterr().out
    for file in read_bundle(out).files:
        assert file.file in said


def test_command_reports_what_it_wrote(light: Config, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    written = json.loads(command("--out", str(out), "--models", str(light.models), "--precision", "fp16", "--json"))
    assert written["out"] == str(out)
    assert [file["role"] for file in written["files"]] == [file.role for file in read_bundle(out).files]
    assert "is not empty" in command("--out", str(out), "--models", str(light.models), code=1)


def test_unknown_precision_is_refused(light: Config, assistant: Assistant, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="int4: choose fp32 or fp16"):
        export(light, assistant, tmp_path / "out", "int4")
