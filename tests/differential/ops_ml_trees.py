"""Makers: the trees of ai.onnx.ml."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from maker import Maker, op
from onnx import numpy_helper
from ops_ml import DOMAIN, NUMBERS, TRANSFORMS, calm, labels, node, reals, serves

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")


class Trees:
    """Random trees as lists of nodes: (mode, feature, split, missing goes true, child if true, child if false), or None for a leaf."""

    def __init__(self, m: Maker, features: int, modes: Sequence[str], missing: bool) -> None:
        self.m, self.features, self.missing = m, features, missing
        self.modes = m.random.sample(modes, m.int(1, len(modes)))
        self.trees: list[list[Any]] = []
        for _ in range(m.int(1, 6)):
            self.trees.append([])
            self.grow(m.int(0, 4))

    def grow(self, depth: int) -> int:
        m, nodes = self.m, self.trees[-1]
        at = len(nodes)
        nodes.append(None)
        if depth > 0 and m.chance(0.85):
            mode = m.pick(self.modes)
            # A missing value goes the way that its track says. In onnxruntime it also goes the way of true where != is asked.
            track = 1 if self.missing and mode == "BRANCH_NEQ" else m.int(0, 1)
            head = (mode, m.int(0, self.features - 1), m.int(-4, 4) / 2, track)
            nodes[at] = (*head, self.grow(depth - 1), self.grow(depth - 1))
        return at

    def leaves(self) -> list[tuple[int, int]]:
        return [(t, i) for t, nodes in enumerate(self.trees) for i, one in enumerate(nodes) if one is None]

    def attributes(self) -> dict[str, Any]:
        """As opsets 1 and 3 have them."""
        out: dict[str, list[Any]] = {f"nodes_{name}": [] for name in (
            "treeids", "nodeids", "modes", "featureids", "values", "missing_value_tracks_true", "truenodeids", "falsenodeids",
        )}  # fmt: skip
        for t, nodes in enumerate(self.trees):
            for i, one in enumerate(nodes):
                mode, feature, split, track, yes, no = one or ("LEAF", 0, 0.0, 0, 0, 0)
                for name, value in zip(out, (t, i, mode, feature, split, track, yes, no), strict=True):
                    out[name].append(value)
        if not self.missing and self.m.chance(0.5):
            del out["nodes_missing_value_tracks_true"]
        return out


def tree_input(m: Maker, dtype: Any, features: int, missing: bool) -> np.ndarray:
    """Often equal to a split."""
    x = m.ints([m.int(1, 6), features], np.int64, -5, 5) / 2
    if dtype in (np.float32, np.float64):
        x = np.where(m.bools(x.shape), x, x + m.floats(x.shape, np.float64, -0.3, 0.3))
    if missing:
        x[m.numpy.random(x.shape) < 0.2] = np.nan
    return x.astype(dtype)


def as_tensors(m: Maker, attributes: dict[str, Any], names: Sequence[str], dtype: Any) -> None:
    """Lists of floats as tensors, which opset 3 has for doubles."""
    for name in names:
        if name in attributes:
            array = np.array(attributes.pop(name), dtype)
            attributes[f"{name}_as_tensor"] = numpy_helper.from_array(array, name)


@op(DOMAIN, "TreeEnsembleRegressor")
def tree_ensemble_regressor(m: Maker) -> None:
    if not serves(m, 1, 4):
        return
    dtype = m.pick((np.float32, np.float64))
    features, targets, missing = m.int(1, 4), m.int(1, 3), m.chance(0.3)
    trees = Trees(m, features, MODES[:-1], missing)
    attributes = trees.attributes()
    # For one target onnxruntime leaves all transforms out but PROBIT.
    transform = m.pick(TRANSFORMS if targets > 1 else ("NONE", "PROBIT"))
    aggregate = m.pick(("SUM", "AVERAGE", "MIN", "MAX"))
    based = m.chance(0.5)
    votes: list[tuple[int, int, int, float]] = []
    for t, i in trees.leaves():
        # onnxruntime adds the base value only to targets that have a vote, so every target has.
        chosen = range(targets) if based or transform == "PROBIT" else m.random.sample(range(targets), m.int(1, targets))
        votes += [(t, i, k, m.number(0.02, 0.2) if transform == "PROBIT" else m.number(-1, 1)) for k in chosen]
    m.random.shuffle(votes)
    for name, values in zip(("treeids", "nodeids", "ids", "weights"), zip(*votes, strict=True), strict=True):
        attributes[f"target_{name}"] = list(values)
    if based:
        attributes["base_values"] = reals(m, targets, 0, 0.1)
    if m.domains[DOMAIN] >= 3 and m.chance(0.5):
        as_tensors(m, attributes, ("nodes_values", "target_weights", "base_values"), dtype)
    x = m.input(tree_input(m, dtype, features, missing))
    y = node(m, "TreeEnsembleRegressor", [x], n_targets=targets, post_transform=transform, aggregate_function=aggregate, **attributes)
    m.output(calm(m, y, transform))


@op(DOMAIN, "TreeEnsembleClassifier")
def tree_ensemble_classifier(m: Maker) -> None:
    if not serves(m, 1, 4):
        return
    dtype = m.pick((np.float32, *NUMBERS))
    features, classes = m.int(1, 4), m.int(1, 4)
    missing = dtype in (np.float32, np.float64) and m.chance(0.3)
    trees = Trees(m, features, MODES[:-1], missing)
    attributes = trees.attributes()
    low = m.pick((-1.0, 0.0))  # the rules for two classes ask whether all weights are positive
    voted: Sequence[int] = range(classes)
    bases = 0
    transforms: Sequence[str] = TRANSFORMS
    only_scores = False
    if classes == 1:
        # onnxruntime's labels are 1 and 0, whatever the label is called; it leaves all transforms out but PROBIT.
        attributes |= {"classlabels_int64s": [1]}
        transforms = ("NONE", "PROBIT")
        bases = m.int(0, 1)
    else:
        attributes |= labels(m, classes, "classlabels_int64s")
    if classes == 2 and m.chance(0.8):
        voted = [m.int(0, 1)]
        transforms = TRANSFORMS[:-1]  # the first class's score is 0, of which PROBIT is infinite
        if voted == [0]:
            # onnxruntime leaves the softmaxes out and mixes up the columns of PROBIT.
            transforms = ("NONE", "LOGISTIC")
            bases = m.int(0, 1)
    elif classes == 2:
        # onnxruntime's labels are 0 and 1 here, whatever the labels are called, by the sign of the second score; with base values it takes
        # one score for the other.
        only_scores = True
    elif classes > 2:
        bases = m.pick((0, classes))
    transform = m.pick(transforms)
    votes: list[tuple[int, int, int, float]] = []
    for t, i in trees.leaves():
        # onnxruntime's top class is one that has a vote, which the specification's need not be where all votes are negative.
        some = low == 0 and not bases and classes > 2 and transform != "PROBIT"
        votes += [(t, i, k, m.number(low, 1)) for k in (m.random.sample(list(voted), m.int(1, len(voted))) if some else voted)]
    m.random.shuffle(votes)
    for name, values in zip(("treeids", "nodeids", "ids", "weights"), zip(*votes, strict=True), strict=True):
        attributes[f"class_{name}"] = list(values)
    if bases:
        attributes["base_values"] = reals(m, bases, -0.2, 0.2)
    if m.domains[DOMAIN] >= 3 and m.chance(0.5):
        wide = np.float64 if dtype == np.float64 else np.float32
        as_tensors(m, attributes, ("nodes_values", "class_weights", "base_values"), wide)
    x = m.input(tree_input(m, dtype, features, missing))
    y, z = node(m, "TreeEnsembleClassifier", [x], 2, post_transform=transform, **attributes)
    z = calm(m, z, transform)
    m.output(*([z] if only_scores else [y, z]))


@op(DOMAIN, "TreeEnsemble")
def tree_ensemble(m: Maker) -> None:
    if not serves(m, 5, 5):
        return
    dtype = m.pick((np.float32, np.float64))
    transform = m.pick((0, 3, 4))  # onnxruntime takes 1 for LOGISTIC and 2 for SOFTMAX
    # For one target onnxruntime leaves the softmaxes out. PROBIT of targets without a vote would be infinite.
    targets = {0: m.int(1, 3), 3: m.int(2, 3), 4: 1}[transform]
    features, missing = m.int(1, 4), m.chance(0.3)
    trees = Trees(m, features, MODES, missing)
    places: dict[tuple[int, int], int] = {}  # of nodes and of leaves, each counted on their own
    count = [0, 0]
    for t, nodes in enumerate(trees.trees):
        for i, one in enumerate(nodes):
            places[t, i] = count[one is None]
            count[one is None] += 1
    columns: dict[str, list[Any]] = {name: [] for name in (
        "modes", "featureids", "splits", "missing_value_tracks_true", "truenodeids", "falsenodeids", "trueleafs", "falseleafs",
    )}  # fmt: skip
    members: list[float] = []
    roots: list[int | None] = []
    for t, nodes in enumerate(trees.trees):
        if nodes[0] is None:  # a tree that is a leaf: a node with that leaf on both sides
            roots.append(None)
            continue
        roots.append(places[t, 0])
        for one in nodes:
            if one is None:
                continue
            mode, feature, split, track, yes, no = one
            if mode == "BRANCH_MEMBER":
                members += [*m.random.sample(range(-4, 5), m.int(1, 4)), np.nan]  # integers: onnxruntime refuses others
                split = 0.0
            row = (MODES.index(mode), feature, split, track, places[t, yes], places[t, no], nodes[yes] is None, nodes[no] is None)
            for name, value in zip(columns, row, strict=True):
                columns[name].append(int(value) if name != "splits" else value)
    for t, root in enumerate(roots):
        if root is None:
            roots[t] = len(columns["modes"])
            for name, value in zip(columns, (0, 0, 0.0, 0, places[t, 0], places[t, 0], 1, 1), strict=True):
                columns[name].append(value)
    low, high = (0.02, 0.2) if transform == 4 else (-1, 1)
    attributes: dict[str, Any] = {f"nodes_{name}": values for name, values in columns.items()}
    attributes["nodes_modes"] = numpy_helper.from_array(np.array(columns["modes"], np.uint8), "modes")
    attributes["nodes_splits"] = numpy_helper.from_array(np.array(columns["splits"], dtype), "splits")
    attributes["leaf_weights"] = numpy_helper.from_array(m.floats([count[1]], dtype, low, high), "weights")
    attributes["leaf_targetids"] = [m.int(0, targets - 1) for _ in range(count[1])]
    if members:
        attributes["membership_values"] = numpy_helper.from_array(np.array(members, dtype), "members")
    if not missing and m.chance(0.5):
        del attributes["nodes_missing_value_tracks_true"]
    x = tree_input(m, dtype, features, missing)
    # onnxruntime looks for x without its fraction among the members.
    y = node(
        m, "TreeEnsemble", [m.input(np.round(x) if members else x)], tree_roots=roots, n_targets=targets, post_transform=transform,
        aggregate_function=m.int(0, 3), **attributes,
    )  # fmt: skip
    m.output(calm(m, y, TRANSFORMS[transform], dtype))
