"""Makers: the domain ai.onnx.ml, and TfIdfVectorizer.

Where onnxruntime leaves the specification, Tenon follows the specification, and the case is not made here; each such place says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from maker import Maker, op
from onnx import numpy_helper

DOMAIN = "ai.onnx.ml"
NUMBERS = (np.float32, np.float64, np.int64, np.int32)
WORDS = ("", "a", "b", "cat", "dog", "Über", "x y", "z")
TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def serves(m: Maker, low: int = 1, high: int = 5) -> bool:
    """All operators of a model share the version of the domain, which the first of them draws."""
    version = m.domains.setdefault(DOMAIN, m.int(low, high))
    return low <= version <= high


def node(m: Maker, name: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> Any:
    return m.node(name, inputs, outputs, DOMAIN, **attributes)


def numbers(m: Maker, shape: Sequence[int], dtype: Any, low: float = -3, high: float = 3) -> np.ndarray:
    if dtype in (np.float32, np.float64):
        return m.floats(shape, dtype, low, high)
    return m.ints(shape, dtype, int(low), int(high))


def matrix(m: Maker, dtype: Any, width: int) -> np.ndarray:
    """[N, width], at times a vector, which is one row."""
    return numbers(m, [width] if m.chance(0.1) else [m.int(1, 6), width], dtype)


def reals(m: Maker, count: int, low: float = -1, high: float = 1) -> list[float]:
    return [m.number(low, high) for _ in range(count)]


def distinct(m: Maker, count: int, low: int = -5, high: int = 20) -> list[int]:
    return [int(value) for value in m.random.sample(range(low, high), count)]


def words(m: Maker, count: int) -> list[str]:
    return list(m.random.sample(WORDS, count))


def labels(m: Maker, count: int, ints: str) -> dict[str, Any]:
    return {ints: distinct(m, count)} if m.chance(0.5) else {"classlabels_strings": words(m, count)}


def calm(m: Maker, z: str, transform: str, dtype: Any = np.float32) -> str:
    """Near one half, onnxruntime's PROBIT cancels and is off by up to 1e-3; a tenth of it is compared."""
    return m.node("Mul", [z, m.constant(np.array(0.1, dtype))]) if transform == "PROBIT" else z


# --- features


@op(DOMAIN, "ArrayFeatureExtractor")
def array_feature_extractor(m: Maker) -> None:
    serves(m)
    width = m.int(1, 5)
    shape = [*m.shape(0, 2, 4, 0), width]
    x = m.strings(shape, WORDS) if m.chance(0.2) else numbers(m, shape, m.pick(NUMBERS))
    count = m.int(1, 6)
    indices = m.ints([1, count] if m.chance(0.5) else [count], np.int64, 0, width - 1)
    m.output(node(m, "ArrayFeatureExtractor", [m.input(x), m.operand(indices)]))


@op(DOMAIN, "Binarizer")
def binarizer(m: Maker) -> None:
    serves(m)
    # f32 only, here and below: onnxruntime has no kernels of the other types, and the reference of the onnx package no exact types.
    m.output(node(m, "Binarizer", [m.input(m.floats(m.shape(1, 3)))], threshold=m.pick((0.0, 0.5, -0.5, 1.0, -1.0))))


@op(DOMAIN, "Scaler")
def scaler(m: Maker) -> None:
    serves(m)
    width = m.int(1, 4)
    count = m.pick((1, width))
    x = numbers(m, [m.int(1, 4), width], m.pick(NUMBERS))
    m.output(node(m, "Scaler", [m.input(x)], offset=reals(m, count), scale=reals(m, count, 0.5, 2)))


@op(DOMAIN, "Normalizer")
def normalizer(m: Maker) -> None:
    serves(m)
    x = matrix(m, m.pick(NUMBERS), m.int(1, 5))
    # One row of zeros: it stays. The specification's L1 is of sums, but the norm, as in onnxruntime, is of absolute values.
    if x.ndim == 2 and m.chance(0.2):
        x[0] = 0
    m.output(node(m, "Normalizer", [m.input(x)], norm=m.pick(("MAX", "L1", "L2"))))


@op(DOMAIN, "Imputer")
def imputer(m: Maker) -> None:
    serves(m)
    width = m.int(1, 4)
    count = m.pick((1, width))
    dtype = m.pick((np.float32, np.int64))
    x = m.ints([m.int(1, 4), width], dtype, -1, 1)
    if dtype == np.float32:
        x[m.bools(x.shape)] = np.nan
        attributes: dict[str, Any] = {
            "imputed_value_floats": reals(m, count),
            "replaced_value_float": m.pick((float("nan"), 0.0, 1.0)),
        }
    else:
        attributes = {"imputed_value_int64s": distinct(m, count), "replaced_value_int64": m.int(-1, 1)}
    m.output(node(m, "Imputer", [m.input(x)], **attributes))


@op(DOMAIN, "FeatureVectorizer")
def feature_vectorizer(m: Maker) -> None:
    serves(m)
    dtype, rows = m.pick(NUMBERS), m.int(1, 4)
    vectors = rows == 1 and m.chance(0.3)
    xs = [numbers(m, [m.int(1, 4)] if vectors else [rows, m.int(1, 4)], dtype) for _ in range(m.int(1, 3))]
    widths = [x.shape[-1] if m.chance(0.6) else m.int(1, 5) for x in xs]
    m.output(node(m, "FeatureVectorizer", [m.input(x) for x in xs], inputdimensions=widths))


@op(DOMAIN, "OneHotEncoder")
def one_hot_encoder(m: Maker) -> None:
    serves(m)
    shape, count = m.shape(1, 3, 4, 0), m.int(1, 5)
    if m.chance(0.3):
        categories = words(m, count)
        x = m.strings(shape, categories if m.chance(0.5) else WORDS)
        known = all(value in categories for value in x.ravel())
        attributes: dict[str, Any] = {"cats_strings": categories}
    else:
        dtype = m.pick((np.float32, np.float64, np.int64))
        integers = distinct(m, count, -2, 6)
        x = m.ints(shape, dtype, -2, 5)  # whole: onnxruntime drops fractions, as is specified, the reference does not
        known = all(int(value) in integers for value in x.ravel())
        attributes = {"cats_int64s": integers}
    # Without `zeros`, what is no category is an error.
    attributes["zeros"] = 0 if known and m.chance(0.5) else 1
    m.output(node(m, "OneHotEncoder", [m.input(x)], **attributes))


@op(DOMAIN, "CategoryMapper")
def category_mapper(m: Maker) -> None:
    serves(m)
    count = m.int(1, 5)
    ints, strings = distinct(m, count, -2, 6), words(m, count)
    shape = m.shape(1, 3)
    x = m.strings(shape, WORDS) if m.chance(0.5) else m.ints(shape, np.int64, -2, 5)
    defaults = {"default_string": "?"} if x.dtype != object else {"default_int64": m.int(-9, 9)}
    m.output(node(m, "CategoryMapper", [m.input(x)], cats_int64s=ints, cats_strings=strings, **m.maybe(**defaults)))


@op(DOMAIN, "LabelEncoder")
def label_encoder(m: Maker) -> None:
    serves(m)
    version, count, shape = m.domains[DOMAIN], m.int(1, 5), m.shape(1, 3)
    if version == 1:
        x = m.strings(shape, WORDS) if m.chance(0.5) else m.ints(shape, np.int64, -1, count)
        m.output(node(m, "LabelEncoder", [m.input(x)], classes_strings=words(m, count), **m.maybe(default_int64=-7, default_string="?")))
        return
    # Keys are distinct: from version 4 on the last of equal ones counts, while onnxruntime takes the first.
    kinds = ["int64s", "floats", "strings"]
    tensors = version >= 4 and m.chance(0.5)
    attributes: dict[str, Any] = {}
    if tensors:
        key, value = m.pick(((np.int64, np.int64), (np.float64, np.float64), (object, np.int16), (np.int64, object)))
        attributes["keys_tensor"] = numpy_helper.from_array(_keys(m, key, count), "keys")
        attributes["values_tensor"] = numpy_helper.from_array(_values(m, value, count), "values")
        attributes["default_tensor"] = numpy_helper.from_array(_values(m, value, 1), "default")
    else:
        from_kind, to_kind = m.pick(kinds), m.pick(kinds)
        types = {"int64s": np.int64, "floats": np.float32, "strings": object}
        key, value = types[from_kind], types[to_kind]
        attributes[f"keys_{from_kind}"] = _keys(m, key, count).tolist()
        attributes[f"values_{to_kind}"] = _values(m, value, count).tolist()
        attributes |= m.maybe(default_int64=-7, default_float=-0.5, default_string="?")
    pool = m.strings(shape, WORDS) if key is object else m.ints(shape, key, -2, 6)
    # Before version 4 onnxruntime does not find NaN, which the specification's comparison of bits does.
    if key in (np.float32, np.float64) and version >= 4 and m.chance(0.5):
        pool[m.bools(pool.shape)] = np.nan
    m.output(node(m, "LabelEncoder", [m.input(pool)], **attributes))


def _keys(m: Maker, dtype: Any, count: int) -> np.ndarray:
    if dtype is object:
        return np.array(words(m, count), object)
    keys = np.array(distinct(m, count, -2, 6), dtype)
    if dtype in (np.float32, np.float64) and m.chance(0.5):
        keys[0] = np.nan
    return keys


def _values(m: Maker, dtype: Any, count: int) -> np.ndarray:
    return m.strings([count], WORDS) if dtype is object else m.ints([count], dtype, -50, 50)


@op(DOMAIN, "ZipMap")
def zip_map(m: Maker) -> None:
    serves(m)
    count = m.int(1, 4)
    x = m.floats([count] if m.chance(0.2) else [m.int(1, 4), count])
    # In order: onnxruntime gives maps in order of their keys, Tenon in that of the labels.
    names: dict[str, Any] = {"classlabels_int64s": sorted(distinct(m, count))}
    if m.chance(0.5):
        names = {"classlabels_strings": sorted(words(m, count))}
    m.output(node(m, "ZipMap", [m.input(x)], **names))


@op(DOMAIN, "DictVectorizer")
def dict_vectorizer(m: Maker) -> None:
    serves(m)
    # onnxruntime's Python takes maps to floats only, and gives [1, n] where the specification says one dim.
    if m.chance(0.5):
        vocabulary: list[Any] = words(m, m.int(1, 6))
        attribute = "string_vocabulary"
    else:
        vocabulary = distinct(m, m.int(1, 6))
        attribute = "int64_vocabulary"
    keys = m.random.sample(vocabulary, m.int(1, len(vocabulary)))
    attributes: dict[str, Any] = {attribute: vocabulary}
    y = node(m, "DictVectorizer", [m.input({key: m.number(-2, 2) for key in keys})], **attributes)
    m.output(m.node("Reshape", [y, m.constant(np.array([-1], np.int64))]))


@op(DOMAIN, "CastMap")
def cast_map(m: Maker) -> None:
    serves(m)
    size = m.int(1, 6)
    x = {key: m.number(-3, 3) for key in m.random.sample(range(8), m.int(1, 5))}
    to = m.pick(("TO_FLOAT", "TO_INT64", "TO_STRING"))
    # Where a key is missing, onnxruntime writes the string "0.f"; Tenon writes an empty one, as for strings elsewhere.
    form = "DENSE" if to == "TO_STRING" else m.pick(("DENSE", "SPARSE"))
    m.output(node(m, "CastMap", [m.input(x)], cast_to=to, map_form=form, max_map=size))


@op("", "TfIdfVectorizer")
def tf_idf_vectorizer(m: Maker) -> None:
    text = m.chance(0.4)
    alphabet: list[Any] = list("abcd") if text else [1, 2, 3, 4]
    longest = m.int(1, 3)
    pool: list[Any] = []
    counts: list[int] = []
    grams = 0
    for length in range(1, longest + 1):
        counts.append(len(pool))
        chosen = {tuple(m.pick(alphabet) for _ in range(length)) for _ in range(m.int(1, 4))}
        for gram in sorted(chosen):
            pool += gram
        grams += len(chosen)
    mode = m.pick(("TF", "IDF", "TFIDF"))
    order = list(range(grams))
    attributes: dict[str, Any] = {}
    # weights[i] is of n-gram i; onnxruntime takes it for column i. Both are the same where columns stand in order.
    if mode == "TF" or m.chance(0.5):
        m.random.shuffle(order)
    else:
        attributes["weights"] = reals(m, grams, 0.5, 2)
    attributes["pool_strings" if text else "pool_int64s"] = pool
    least = m.int(1, longest)
    shape = [m.int(0, 9)] if m.chance(0.3) else [m.int(1, 4), m.int(1, 9)]
    x = m.strings(shape, [*alphabet, "?"]) if text else m.ints(shape, m.pick((np.int64, np.int32)), 0, 5)
    m.output(
        m.node(
            "TfIdfVectorizer",
            [m.input(x)],
            mode=mode,
            min_gram_length=least,
            max_gram_length=longest,
            max_skip_count=m.int(0, 3),
            ngram_counts=counts,
            ngram_indexes=order,
            **attributes,
        )
    )


# --- linear models and support vector machines


@op(DOMAIN, "LinearRegressor")
def linear_regressor(m: Maker) -> None:
    serves(m)
    width, targets = m.int(1, 5), m.int(1, 3)
    transform = m.pick(TRANSFORMS) if targets > 1 else "NONE"  # for one target onnxruntime leaves all transforms out but PROBIT
    attributes: dict[str, Any] = {"coefficients": reals(m, width * targets), "intercepts": reals(m, targets)}
    x = m.input(matrix(m, np.float32, width))
    m.output(calm(m, node(m, "LinearRegressor", [x], targets=targets, post_transform=transform, **attributes), transform))


@op(DOMAIN, "LinearClassifier")
def linear_classifier(m: Maker) -> None:
    serves(m)
    width, classes = m.int(1, 5), m.int(2, 4)
    sets = 1 if classes == 2 and m.chance(0.5) else classes
    # For one set of coefficients onnxruntime leaves the softmaxes out and mixes up the columns of PROBIT.
    transform = m.pick(TRANSFORMS if sets > 1 else ("NONE", "LOGISTIC"))
    attributes = labels(m, classes, "classlabels_ints") | {"coefficients": reals(m, width * sets), "intercepts": reals(m, sets)}
    x = m.input(matrix(m, m.pick(NUMBERS), width))
    y, z = node(m, "LinearClassifier", [x], 2, post_transform=transform, multi_class=m.int(0, 1), **attributes)
    m.output(y, calm(m, z, transform))


def kernel(m: Maker) -> dict[str, Any]:
    return {
        "kernel_type": m.pick(("LINEAR", "POLY", "RBF", "SIGMOID")),
        "kernel_params": [m.number(0.1, 0.6), m.number(-0.5, 0.5), float(m.int(1, 3))],
    }


@op(DOMAIN, "SVMRegressor")
def svm_regressor(m: Maker) -> None:
    serves(m)
    width, supports = m.int(1, 4), m.int(0, 5)
    attributes = kernel(m)
    if supports:
        attributes |= {"support_vectors": reals(m, width * supports), "n_supports": supports}
    # onnxruntime leaves all transforms out.
    attributes |= {"coefficients": reals(m, supports or width), "rho": reals(m, 1), "one_class": m.int(0, 1)}
    m.output(node(m, "SVMRegressor", [m.input(matrix(m, np.float32, width))], **attributes))


@op(DOMAIN, "SVMClassifier")
def svm_classifier(m: Maker) -> None:
    serves(m)
    width, classes = m.int(1, 4), m.int(2, 4)
    attributes = kernel(m) | labels(m, classes, "classlabels_ints")
    x = m.input(matrix(m, m.pick(NUMBERS), width))
    if m.chance(0.3):
        attributes |= {"coefficients": reals(m, classes * width), "rho": reals(m, 1)}
        transform = m.pick(TRANSFORMS)
        y, z = node(m, "SVMClassifier", [x], 2, post_transform=transform, **attributes)
        z = calm(m, z, transform)
        # For two classes onnxruntime gives the second label wherever a score is positive, not that of the larger score.
        m.output(*([y, z] if classes > 2 else [z]))
        return
    per_class, pairs = [m.int(1, 3) for _ in range(classes)], classes * (classes - 1) // 2
    vectors = sum(per_class)
    probabilities = m.chance(0.5)
    attributes |= {"support_vectors": reals(m, vectors * width), "coefficients": reals(m, vectors * (classes - 1))}
    attributes |= {"vectors_per_class": per_class, "rho": reals(m, pairs)}
    if probabilities:
        attributes |= {"prob_a": reals(m, pairs, -2, -0.5), "prob_b": reals(m, pairs)}
    # For one score onnxruntime leaves the softmaxes out and mixes up the columns of PROBIT.
    transform = m.pick(TRANSFORMS if probabilities or classes > 2 else ("NONE", "LOGISTIC"))
    y, z = node(m, "SVMClassifier", [x], 2, post_transform=transform, **attributes)
    m.output(y, calm(m, z, transform))
