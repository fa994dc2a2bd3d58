"""How good a run's programs are: shares of attempts, problems and tests, in percent; None where one is not known."""

from collections.abc import Iterable
from math import comb

import duckdb


def accuracy(db: duckdb.DuckDBPyConnection, run_id: str) -> float | None:
    """Return the share of the attempts that passed; an error is no pass."""
    [(ended, passed)] = db.execute(
        "SELECT count(*), count(*) FILTER (solved) FROM attempts WHERE run_id = ?", [run_id]
    ).fetchall()
    return round(100 * passed / ended, 1) if ended else None


def accuracy_by_tests(db: duckdb.DuckDBPyConnection, run_id: str) -> float | None:
    """Return the share of its tests that an attempt passed, on average; one that ended in an error has none."""
    [(share,)] = db.execute(
        """SELECT avg(100.0 * tests_passed / tests) FROM attempts
           WHERE run_id = ? AND solved IS NOT NULL AND tests > 0""",
        [run_id],
    ).fetchall()
    return None if share is None else round(share, 1)


def pass_at_k(db: duckdb.DuckDBPyConnection, run_id: str, samples: int) -> dict[str, float | None]:
    """Return pass@k for k up to the samples: the unbiased estimator of Chen et al. 2021, equation 1.

    None where a problem has fewer than k samples that came to an end.
    """
    counted = db.execute(
        "SELECT count(solved), count(*) FILTER (solved) FROM attempts WHERE run_id = ? GROUP BY problem_id", [run_id]
    ).fetchall()
    return {str(k): _mean(pass_at_k_of(n, c, k) for n, c in counted) for k in _ks(samples)}


def any_of_k(db: duckdb.DuckDBPyConnection, run_id: str, samples: int) -> dict[str, float | None]:
    """Return the share of the problems that one of their first k samples solved, for k up to the samples.

    It needs no samples after the first that passed, and is no estimate of pass@k. None where a problem is not solved
    in its first k samples, and not all of these have come to an end.
    """
    counted = db.execute(
        """SELECT min(sample) FILTER (solved), coalesce(list(sample) FILTER (solved IS NOT NULL), [])
           FROM attempts WHERE run_id = ? GROUP BY problem_id""",
        [run_id],
    ).fetchall()
    return {str(k): _mean(_any_of_k(first, ended, k) for first, ended in counted) for k in _ks(samples)}


def pass_at_k_of(n: int, c: int, k: int) -> float | None:
    """Return the probability that k of n samples, of which c pass, hold one that passes; None for n < k."""
    return None if n < k else 1 - comb(n - c, k) / comb(n, k)


def _any_of_k(first: int | None, ended: list[int], k: int) -> float | None:
    if first is not None and first < k:
        return 1.0
    return 0.0 if sum(sample < k for sample in ended) == k else None


def _ks(samples: int) -> list[int]:
    return [k for k in range(1, samples + 1) if k <= 10 or k == samples or k % 10 == 0]


def _mean(shares: Iterable[float | None]) -> float | None:
    parts = list(shares)
    known = [part for part in parts if part is not None]
    return round(100 * sum(known) / len(parts), 1) if parts and len(known) == len(parts) else None
