"""Rows of answered questions, with what a test does not look at filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from blocks.records import AnswerRow, CallRow, StepRow
from tasks.plans.answered import Answered
from tasks.plans.graph import compression_ratio, critical_path
from tasks.plans.parse import plan_xml
from tasks.plans.records import Plan

RUN = "aaaa1111-0000-4000-8000-000000000001"
START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
ROLES = {1: "planner", 2: "small", 3: "large", 4: "aggregator", 5: "judge"}
NAMES = {"planner": "planner-1.7b", "small": "small-3b", "large": "large-4o"}


def step(number: int, *depends_on: int, start: float = 0, seconds: float = 1, **fields: Any) -> StepRow:
    """A step of 100 tokens' budget and 50 tokens that the small model did."""
    defaults = {
        "run_id": RUN,
        "problem_id": "q1",
        "sample": 0,
        "plan": 1,
        "task": f"task {number}",
        "difficulty": 3,
        "token_budget": 100,
        "size": "small",
        "model": "small-3b",
        "result": f"result {number}",
        "prompt_tokens": 10,
        "completion_tokens": 50,
        "ttft": 0.1,
        "cost": 0.01,
        "currency": "USD",
        "execution_id": "first",
    }
    own = {"step": number, "depends_on": list(depends_on), "started_seconds": start, "seconds": seconds}
    return StepRow.model_validate({**defaults, **own, **fields})


def call(stage: str, number: int, **fields: Any) -> CallRow:
    """A reply of 10 + 50 tokens for a cent."""
    defaults = {
        "run_id": RUN,
        "call_key": f"{fields.get('problem_id', 'q1')}-{stage}-{number}-{fields.get('ordinal', 1)}",
        "problem_id": "q1",
        "sample": 0,
        "ordinal": 1,
        "execution_id": "first",
        "pool": "pool",
        "endpoint": "endpoint",
        "model": "served",
        "prompt_tokens": 10,
        "completion_tokens": 50,
        "cost": 0.01,
        "currency": "USD",
        "ttft": 0.1,
        "seconds": 1.0,
        "started_at": START,
        "finished_at": START + timedelta(seconds=1),
    }
    return CallRow.model_validate({**defaults, "stage": stage, "model_number": number, **fields})


def answer(**fields: Any) -> AnswerRow:
    """A right answer without a plan, in 10 seconds."""
    defaults = {
        "run_id": RUN,
        "problem_id": "q1",
        "sample": 0,
        "question": "What is 6 times 7?",
        "answer": "42",
        "prediction": "42",
        "correct": True,
        "decided_by": "exact",
        "wall_seconds": 10.0,
        "execution_id": "first",
    }
    return AnswerRow.model_validate({**defaults, **fields})


def planned(*steps: StepRow, calls: tuple[CallRow, ...] = (), **fields: Any) -> Answered:
    """A question whose plan has these steps; `fields` are of its answer."""
    one = Answered(answer(), steps, (), calls)
    plan = Plan(steps=one.plan.steps)
    about = {
        "plan": plan_xml(plan),
        "steps": len(steps),
        "failed_steps": sum(each.result is None for each in steps),
        "critical_path": list(critical_path(plan)),
        "compression_ratio": compression_ratio(plan),
        "planning_seconds": 2.0,
        "aggregated": True,
    }
    return one._replace(answer=answer(**{**about, **fields}))
