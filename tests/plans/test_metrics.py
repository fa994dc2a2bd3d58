"""What a run's rows come to: which of them count, and every metric against an example done by hand."""

from datetime import timedelta
from typing import Any

import pytest

from blocks.records import Row
from blocks.spool import Spool
from tasks.plans.answered import Answered, answered
from tasks.plans.dataset_metrics import accuracy, dataset_metrics
from tasks.plans.metrics import Ttft, question_metrics, role_of, use_of
from tests.plans.rows import ROLES, RUN, START, answer, call, planned, step

LARGE: dict[str, Any] = {"size": "large", "model": "large-4o"}

# Planned in 2 s. Step 1 takes 1 s, 2 and 3 need it and take 4 s and 2 s side by side, step 4 needs both and takes
# 1 s; the aggregation ends at 10 s. The longest path has 3 of 4 steps.
DIAMOND = planned(
    step(1, start=1, seconds=1, token_budget=100, completion_tokens=50, difficulty=2),
    step(2, 1, start=2, seconds=4, token_budget=300, completion_tokens=150, difficulty=7, **LARGE),
    step(3, 1, start=2, seconds=2, token_budget=100, completion_tokens=40, escalated=True, **LARGE),
    step(4, 2, 3, start=6, seconds=1, token_budget=100, completion_tokens=60, result=None, error="HTTP 500"),
    calls=(
        call("planning", 1, prompt_tokens=200, completion_tokens=100, ttft=0.4, cost=0.001),
        call("step", 2, ordinal=1, prompt_tokens=20, completion_tokens=50, ttft=0.1, cost=0.01),
        call("step", 3, ordinal=2, prompt_tokens=30, completion_tokens=150, ttft=0.5, cost=0.10),
        call("step", 2, ordinal=3, prompt_tokens=20, completion_tokens=10, ttft=0.3, cost=0.01),
        call("step", 3, ordinal=3, prompt_tokens=20, completion_tokens=30, ttft=None, cost=0.02),
        call("step", 2, ordinal=4, prompt_tokens=40, completion_tokens=60, ttft=0.2, cost=0.03),
        call("aggregation", 2, prompt_tokens=50, completion_tokens=10, ttft=0.2, cost=0.02),
        call("judging", 5, prompt_tokens=60, completion_tokens=1, ttft=0.6, cost=0.04),
    ),
)  # fmt: skip


def test_one_question():
    found = question_metrics(DIAMOND, ROLES)
    assert (found.wall_seconds, found.planning_seconds) == (10, 2)
    assert (found.steps, found.small, found.large, found.escalated, found.failed) == (4, 2, 2, 1, 1)
    assert (found.depth, found.compression_ratio) == (3, 3 / 4)
    assert (found.token_budget, found.mean_token_budget) == (600, 150)
    assert (found.tokens_of_steps, found.budget_used) == (300, 0.5)
    assert (found.step_seconds, found.speed_up) == (1 + 4 + 2 + 1, 8 / 10)
    assert found.tokens_per_second == (100 + 50 + 150 + 10 + 30 + 60 + 10) / 10, "the judge is not waited for"


def test_what_each_role_took():
    roles = question_metrics(DIAMOND, ROLES).roles
    assert list(roles) == ["planner", "small", "large", "aggregator", "judge"]
    small = roles["small"]
    assert (small.calls, small.prompt_tokens, small.completion_tokens) == (3, 80, 120)
    assert small.cost_usd == pytest.approx(0.05)
    assert small.ttft is not None
    assert small.ttft.mean == pytest.approx(0.2)
    assert (small.ttft.calls, small.ttft.min, small.ttft.max) == (3, 0.1, 0.3)
    assert roles["large"].ttft == Ttft(calls=1, mean=0.5, min=0.5, max=0.5), "that of the second call is not known"
    total = question_metrics(DIAMOND, ROLES).total
    assert (total.calls, total.prompt_tokens, total.completion_tokens) == (8, 440, 411)
    assert total.cost_usd == pytest.approx(0.231)


def test_roles_follow_stages_then_numbers():
    one_model = {1: "model"}
    assert role_of(call("aggregation", 4), ROLES) == role_of(call("aggregation", 2), ROLES) == "aggregator"
    assert role_of(call("scoring", 1), ROLES) == "router"
    assert role_of(call("direct", 3), ROLES) == "large"
    assert role_of(call("direct", 1), one_model) == "model"
    assert role_of(call("judging", 2), one_model) == "judge"
    assert role_of(call("direct", 7), {}) == "direct"


def test_the_unknown_is_none_and_never_nought():
    silent = planned(
        step(1, completion_tokens=None, seconds=3),
        calls=(call("step", 2, completion_tokens=None, cost=None, ttft=None), call("planning", 1, currency="EUR")),
        wall_seconds=None,
    )
    found = question_metrics(silent, ROLES)
    assert (found.tokens_of_steps, found.budget_used, found.speed_up, found.tokens_per_second) == (None,) * 4
    assert found.step_seconds == 3
    assert (found.total.prompt_tokens, found.total.completion_tokens, found.total.cost_usd) == (20, None, None)
    assert found.roles["small"].ttft is None
    assert found.roles["planner"].cost_usd is None, "it is not in dollars"
    alone = question_metrics(Answered(answer(), (), (), ()), {1: "model"})
    assert alone.steps == 0
    assert (alone.depth, alone.compression_ratio, alone.mean_token_budget, alone.step_seconds) == (None,) * 4
    assert (alone.tokens_per_second, alone.roles) == (None, {})


def test_a_dataset():
    """Beside the diamond: a chain of two steps, a question without a plan, and one that nothing could judge."""
    chain = planned(
        step(1, seconds=2, token_budget=200, completion_tokens=100, difficulty=7, **LARGE),
        step(2, 1, seconds=2, token_budget=100, completion_tokens=50, difficulty=2),
        problem_id="q2", correct=False, decided_by="choice", subject="maths", planning_seconds=1.0, wall_seconds=5.0,
        repairs=["one", "two"], aggregated=False,
    )  # fmt: skip
    alone = Answered(
        answer(problem_id="q3", fallback="direct", subject="maths", planning_seconds=3.0, wall_seconds=6.0),
        (),
        (step(1, discarded=True), step(2, 1, discarded=True)),
        (call("direct", 3, completion_tokens=60),),
    )  # fmt: skip
    open_end = Answered(answer(problem_id="q4", correct=None, decided_by=None, wall_seconds=None), (), (), ())
    found = dataset_metrics([DIAMOND, chain, alone, open_end], ROLES)
    assert found.questions == 4
    assert found.accuracy.model_dump() == {
        "questions": 4, "judged": 3, "correct": 2, "unknown": 1, "percent": 66.7,
    }  # fmt: skip
    assert [(subject, each.correct, each.judged, each.unknown) for subject, each in found.subjects] == [
        ("maths", 1, 2, 0),
        (None, 1, 1, 1),
    ]
    assert found.decided_by == {"exact": 2, "choice": 1}
    assert (found.planned, found.average_steps, found.average_depth) == (2, (4 + 2) / 2, (3 + 2) / 2)
    assert found.average_compression_ratio == (0.75 + 1) / 2
    assert found.average_token_budget == (600 + 300) / 6
    assert found.budget_used == (300 + 150) / 900
    assert (found.fallbacks, found.repaired, found.repairs, found.stood_in) == (1, 1, 2, 1)
    assert (found.failed_steps, found.escalated_steps, found.discarded_steps) == (1, 1, 2)
    assert (found.total.calls, found.roles["large"].completion_tokens) == (9, 150 + 30 + 60)
    times = found.times
    assert (times.questions, times.mean, times.median, times.longest) == (3, 7, 6, 10)
    assert times.mean_planning == (2 + 1 + 3) / 3
    assert times.mean_step_seconds == (8 + 4) / 2
    assert times.mean_speed_up == pytest.approx((0.8 + 0.8) / 2)
    assert times.mean_tokens_per_second == (41 + 10) / 2, "of the diamond and of the large model alone"


def test_steps_by_model_and_difficulty():
    """The failed step counts, but not for the means."""
    found = dataset_metrics([DIAMOND], ROLES)
    (large, of_large), (small, of_small) = found.models
    assert (large, of_large.steps, of_large.small, of_large.large, of_large.escalated) == ("large-4o", 2, 0, 2, 1)
    assert (of_large.mean_tokens, of_large.mean_seconds) == ((150 + 40) / 2, (4 + 2) / 2)
    assert (small, of_small.steps, of_small.failed, of_small.mean_tokens) == ("small-3b", 2, 1, 50)
    assert [(number, each.steps, each.mean_seconds) for number, each in found.difficulties] == [
        (2, 1, 1),
        (3, 2, 2),
        (7, 1, 4),
    ]


def test_nothing_at_all():
    found = dataset_metrics([], ROLES)
    assert (found.accuracy.percent, found.average_steps, found.average_compression_ratio) == (None, None, None)
    assert (found.average_token_budget, found.budget_used, found.times.mean, found.models) == (None, None, None, ())
    assert accuracy([answer(correct=None)]).percent is None
    assert use_of([]).ttft is None


def test_the_rows_of_a_spool(tmp_path):
    """Question 1 was answered twice, the second time with another plan; question 2 has refused plans alone."""
    old = [
        step(1, execution_id="killed", task="old"),
        step(3, execution_id="killed", task="no longer in the plan"),
        answer(prediction="41", execution_id="killed", written_at=START),
    ]
    new = [
        step(2, 1, plan=1),
        step(1, plan=1, task="new"),
        answer(written_at=START + timedelta(seconds=9)),
        step(1, problem_id="q2", discarded=True),
        step(1, problem_id="q2", plan=2, discarded=True),
        answer(problem_id="q2", fallback="direct"),
        step(1, problem_id="q3"),  # of a question that has no answer yet
    ]
    calls = [
        call("step", 2, ordinal=2, started_at=START + timedelta(seconds=2)),
        call("planning", 1),
        call("step", 2, ordinal=1, call_key="bad", error_kind="server_error", error="HTTP 500"),
        call("planning", 1, seconds=3.0),  # the same once more
        call("direct", 3, problem_id="q2"),
        call("planning", 1, problem_id="q3"),
    ]
    for execution, rows in (("killed", old), ("first", [*new, *calls])):
        spool = Spool(tmp_path, RUN, execution)
        for row in rows:
            assert isinstance(row, Row)
            spool.append(row)
        spool.close()
    for table in ("steps", "answers", "calls"):
        with (spool.folder / table / "first-0000.jsonl").open("a") as file:
            file.write('{"run_id": 3}\nnot JSON\n{"torn": ')
    two, one = answered(spool.folder, order=["q2", "q9", "q1"])
    assert (one.answer.prediction, [row.task for row in one.steps], one.discarded) == ("42", ["task 2", "new"], ())
    assert [(row.stage, row.seconds) for row in one.calls] == [("planning", 3.0), ("step", 1.0)]
    assert one.planned
    assert [each.id for each in one.plan.steps] == [2, 1]
    assert (two.steps, [row.plan for row in two.discarded], two.planned) == ((), [1, 2], False)
    assert [row.stage for row in two.calls] == ["direct"]
    assert [found.answer.problem_id for found in answered(spool.folder)] == ["q1", "q2"]
    assert answered(tmp_path / "none") == []
