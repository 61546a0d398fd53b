"""LightGBM's trees as one ONNX ``TreeEnsembleRegressor`` with the same decisions (training only: onnx).

LightGBM compares in float64, ONNX here in float32. For a float32 feature x and a float64 threshold t, ``x <= t`` is
the same as ``x <= t'`` with t' the largest float32 that is not above t: rounding to nearest would send some x the other
way. (LightGBM takes what lies within 1e-35 of 0 for 0; that is not imitated.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper

INPUT, OUTPUT = "features", "scores"


def tree_ensemble(dumps: Sequence[tuple[dict[str, Any], float]], features: int) -> bytes:
    """A weighted sum of boosters, given as ``Booster.dump_model()``, as ONNX: (N, F) float32 -> (N, 1) float32.

    ValueError for what a ranker never has: categorical splits, several outputs, averaged forests, zero as missing.
    """
    columns: dict[str, list[Any]] = {name: [] for name in (*_NODE, *_LEAF)}
    tree_id = 0
    for dump, weight in dumps:
        if dump["num_class"] != 1 or dump.get("average_output"):
            raise ValueError("only a sum of regression trees can be exported")
        for tree in dump["tree_info"]:
            _add_tree(columns, tree["tree_structure"], tree_id, weight)
            tree_id += 1
    attributes: dict[str, Any] = dict(columns)
    node = helper.make_node(
        "TreeEnsembleRegressor", [INPUT], [OUTPUT], domain="ai.onnx.ml", n_targets=1, aggregate_function="SUM",
        post_transform="NONE", target_ids=[0] * len(columns["target_weights"]), **attributes,
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "ranker",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["candidates", features])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["candidates", 1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="rejoinder")
    checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


_NODE = (
    "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_values", "nodes_modes", "nodes_truenodeids",
    "nodes_falsenodeids", "nodes_missing_value_tracks_true",
)  # fmt: skip
_LEAF = ("target_treeids", "target_nodeids", "target_weights")


def _add_tree(columns: dict[str, list[Any]], root: dict[str, Any], tree: int, share: float) -> None:
    """Number the nodes of one tree breadth first (the root is 0) and append them to ``columns``."""
    nodes = [root]
    for number, node in enumerate(nodes):  # grows while it is walked
        branch = "split_feature" in node
        row: list[Any] = [tree, number, 0, 0.0, "LEAF", 0, 0, 0]
        if branch:
            left, right = len(nodes), len(nodes) + 1
            nodes += [node["left_child"], node["right_child"]]
            row = [tree, number, node["split_feature"], floor_float32(node["threshold"]), "BRANCH_LEQ", left, right]
            row.append(int(_missing_goes_left(node)))
        else:
            for name, value in zip(_LEAF, (tree, number, share * float(node["leaf_value"])), strict=True):
                columns[name].append(value)
        for name, value in zip(_NODE, row, strict=True):
            columns[name].append(value)


def _missing_goes_left(node: dict[str, Any]) -> bool:
    """Where LightGBM sends a NaN: as learnt, or, when training saw none in this feature, where it sends a 0."""
    if node["decision_type"] != "<=" or node["missing_type"] not in ("None", "NaN"):
        raise ValueError(f"a split with {node['decision_type']!r}, missing {node['missing_type']!r} can't be exported")
    return bool(node["default_left"]) if node["missing_type"] == "NaN" else float(node["threshold"]) >= 0.0


def floor_float32(value: float) -> float:
    """The largest float32 that is not above ``value``, bounded by the largest finite one."""
    largest = float(np.finfo(np.float32).max)
    near = np.float32(min(max(value, -largest), largest))
    return float(near if float(near) <= max(value, -largest) else np.nextafter(near, np.float32(-np.inf)))
