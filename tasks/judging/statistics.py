"""How far two lists of scores agree: by scikit-learn (Cohen's kappa) and krippendorff (Krippendorff's alpha).

Both are in the extra `judging`. Kappa and alpha are measures beyond chance: 1 is perfect agreement, 0 what chance
alone would give; they are not defined (None) where no scores differ, since chance would agree then too.
"""

import importlib
import math
import warnings
from collections.abc import Sequence
from typing import Any

from blocks.errors import UsageError
from blocks.records import Record
from tasks.judging.dimensions import SCORES


class Agreement(Record):
    """Two raters' agreement on `pairs` scores; shares from 0 to 1, None where there is nothing to measure."""

    pairs: int
    exact: float | None
    within_one: float | None
    kappa_linear: float | None
    kappa_quadratic: float | None
    alpha_ordinal: float | None
    mean_gold: float | None
    mean_judge: float | None


def check_libraries() -> None:
    """Raise UsageError where a library that measures agreement is not installed."""
    for name in ("krippendorff", "sklearn.metrics"):
        _library(name)


def agreement(gold: Sequence[int], judge: Sequence[int]) -> Agreement:
    """Measure the agreement of people's scores and a judge's of the same things, in the same order.

    Weighted kappa (Cohen 1968) and ordinal alpha (Krippendorff 2011) count a disagreement by its distance.
    """
    apart = [abs(one - other) for one, other in zip(gold, judge, strict=True)]
    return Agreement(
        pairs=len(apart),
        exact=_share([each == 0 for each in apart]),
        within_one=_share([each <= 1 for each in apart]),
        kappa_linear=_kappa(gold, judge, "linear"),
        kappa_quadratic=_kappa(gold, judge, "quadratic"),
        alpha_ordinal=_alpha(gold, judge),
        mean_gold=_share(gold),
        mean_judge=_share(judge),
    )


def _share(values: Sequence[int]) -> float | None:
    return sum(values) / len(values) if values else None


def _kappa(gold: Sequence[int], judge: Sequence[int], weights: str) -> float | None:
    if len({*gold, *judge}) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = _library("sklearn.metrics").cohen_kappa_score
        # All five labels, since the distance of two is counted in places among them.
        return _number(score(list(gold), list(judge), labels=list(SCORES), weights=weights))


def _alpha(gold: Sequence[int], judge: Sequence[int]) -> float | None:
    if len({*gold, *judge}) < 2:
        return None
    found = _library("krippendorff").alpha(
        reliability_data=[list(gold), list(judge)], level_of_measurement="ordinal", value_domain=list(SCORES)
    )
    return _number(found)


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        what = "scikit-learn" if name.startswith("sklearn") else name
        raise UsageError(f"agreement needs {what}, which is not installed; pip install 'consort[judging]'") from None
