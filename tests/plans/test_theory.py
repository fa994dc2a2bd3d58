"""The theory of a plan's time, against sums done by hand, and against the schedule itself."""

import itertools
import random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.plans.records import Plan, Step
from tasks.plans.schedule import by_budget
from tasks.plans.theory import LOCAL_PLANNER, PACES, Pace, fitted, pace_of, timeline, tokens_written
from tests.plans.scripted import Script, play, random_script, step

# A planner that writes a step of 10 tokens in a second, 2 s after the question.
PLANNER = Pace(latency=2, throughput=10)
# A small model that takes 1 s and 10 tokens a second, a large one that takes 2 s and 50 tokens a second.
MODELS = {"small": Pace(latency=1, throughput=10), "large": Pace(latency=2, throughput=50)}


def plan_of(*steps: Step) -> Plan:
    return Plan(steps=steps)


# Steps 2 and 3 need step 1, step 4 needs both. In seconds: 1: 1 + 10/10 = 2, 2: 2 + 200/50 = 6, 3: 1 + 30/10 = 4,
# 4: 1 + 20/10 = 3. They are there at 3, 4, 5 and 6.
DIAMOND = plan_of(step(1, budget=10), step(2, 1, budget=200), step(3, 1, budget=30), step(4, 2, 3, budget=20))
SMALL_BUT_2 = {1: "small", 2: "large", 3: "small", 4: "small"}


def test_the_published_model():
    expected = timeline(DIAMOND, SMALL_BUT_2, MODELS, PLANNER, written=lambda _: 10)
    assert [(each.available, each.start, each.end) for each in expected.steps] == [
        (3, 3, 5),
        (4, 5, 11),
        (5, 5, 9),
        (6, 11, 14),
    ]
    assert [each.model for each in expected.steps] == ["small", "large", "small", "small"]
    assert (expected.planning, expected.total) == (6, 14)
    assert expected.sequential == 6 + 2 + 6 + 4 + 3
    assert expected.speed_up == 21 / 14
    assert expected.parallel_efficiency == 21 / 14 / 2, "two steps at once are the most"


def test_one_worker():
    """Step 2 goes before step 3, as it has the longer way to go."""
    expected = timeline(DIAMOND, SMALL_BUT_2, MODELS, PLANNER, workers=1, written=lambda _: 10)
    assert [(each.start, each.end) for each in expected.steps] == [(3, 5), (5, 11), (11, 15), (15, 18)]
    assert (expected.total, expected.sequential) == (18, 21)
    assert expected.speed_up == expected.parallel_efficiency == 21 / 18


def test_two_workers_and_five_independent_steps():
    """They take 3, 2, 5, 4 and 6 s and are there within 0.5 s: the first two start as they come, then the longest.

    One worker does 1 (0.1 to 3.1), 3 (to 8.1) and 4 (to 12.1), the other 2 (0.2 to 2.2) and 5 (to 8.2).
    """
    budgets = [2, 1, 4, 3, 5]
    plan = plan_of(*(step(number, budget=budget) for number, budget in enumerate(budgets, 1)))
    models = dict.fromkeys(range(1, 6), "one")
    expected = timeline(
        plan,
        models,
        {"one": Pace(latency=1, throughput=1)},
        Pace(latency=0, throughput=10),
        workers=2,
        written=lambda _: 1,
    )
    starts = {each.id: round(each.start, 6) for each in expected.steps}
    assert starts == {1: 0.1, 2: 0.2, 5: 2.2, 3: 3.1, 4: 8.1}
    assert expected.total == pytest.approx(12.1)
    assert expected.sequential == pytest.approx(0.5 + 20)
    assert expected.parallel_efficiency == pytest.approx(20.5 / 12.1 / 2)


def test_the_models_of_the_table():
    """One step of 289 tokens by gpt-4o, its text of 71.2 tokens by the local planner: 0.5 + 1, then 0.735 + 2."""
    expected = timeline(plan_of(step(1, budget=289)), {1: "gpt-4o"}, PACES, LOCAL_PLANNER, written=lambda _: 71.2)
    assert expected.steps[0].start == expected.planning == 1.5
    assert expected.total == expected.sequential == pytest.approx(4.235)
    assert expected.speed_up == expected.parallel_efficiency == 1


def test_steps_wait_for_later_ones_of_the_plan():
    plan = plan_of(step(1, 2, budget=10), step(2, budget=10))
    expected = timeline(plan, {1: "small", 2: "small"}, MODELS, PLANNER, written=lambda _: 10)
    assert [(each.start, each.end) for each in expected.steps] == [(6, 8), (4, 6)]


def test_steps_that_take_no_time():
    plan = plan_of(step(1, budget=0), step(2, 1, budget=0))
    at_once = {"model": Pace(latency=0, throughput=1)}
    expected = timeline(plan, {1: "model", 2: "model"}, at_once, PLANNER, workers=1, written=lambda _: 10)
    assert [(each.start, each.end) for each in expected.steps] == [(3, 3), (4, 4)]


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="not sound"):
        timeline(plan_of(step(1, 2), step(2, 1)), {1: "small", 2: "small"}, MODELS, PLANNER)
    with pytest.raises(ValueError, match="workers"):
        timeline(DIAMOND, SMALL_BUT_2, MODELS, PLANNER, workers=0)


@pytest.mark.parametrize("workers", [1, 2, 3, 32])
def test_the_schedule_does_what_the_theory_says(workers: int):
    """Each of 100 random plans, step by step, while a planner writes."""
    for seed in range(100):
        dice = random.Random(seed)
        script = random_script(dice)
        gaps = [dice.uniform(0, 3) for _ in script.steps]
        texts = dict(zip(script.seconds, gaps, strict=True))
        expected = timeline(
            Plan(steps=script.steps),
            {id: str(id) for id in script.seconds},
            {str(id): Pace(latency=seconds, throughput=float("inf")) for id, seconds in script.seconds.items()},
            Pace(latency=0, throughput=1),
            workers=workers,
            weight=script.weight,
            written=lambda each, texts=texts: texts[each.id],  # type: ignore[misc]
        )
        played = play(script, workers=workers, gaps=gaps)
        assert {each.id: each.start for each in expected.steps} == pytest.approx(played.started)
        assert expected.total == pytest.approx(played.total)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6))
def test_more_workers_than_steps_are_no_limit(seed: int):
    script: Script = random_script(random.Random(seed), most=8)
    plan, models = Plan(steps=script.steps), dict.fromkeys(script.seconds, "small")
    free, limited = (timeline(plan, models, MODELS, PLANNER, workers=workers) for workers in (None, 99))
    assert free.steps == limited.steps
    for each in free.steps:  # the published formula, term by term
        needs = next(other.depends_on for other in plan.steps if other.id == each.id)
        ends = [other.end for other in free.steps if other.id in needs]
        assert each.start == max([each.available, *ends])
        assert each.end == each.start + MODELS["small"].seconds(100)


def test_the_tokens_of_a_steps_text():
    each = Step(id=12, task='Is 3 < 4 & "5"?', difficulty=3, token_budget=150, depends_on=(1, 10))
    text = """<Step ID="12" Task='Is 3 &lt; 4 &amp; "5"?' Difficulty="3" Token="150" Rely="1,10"/>"""
    assert tokens_written(each) == len(text) / 4


def test_a_planner_writes_what_the_steps_say():
    first, second = step(1), step(2)
    expected = timeline(plan_of(first, second), {1: "small", 2: "small"}, MODELS, PLANNER)
    assert expected.steps[0].available == 2 + tokens_written(first) / 10
    assert expected.planning == 2 + (tokens_written(first) + tokens_written(second)) / 10


# The pace of models


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/GPT-4o-latest", "gpt-4o"),
        ("gpt-4o-mini", None),
        ("gpt-4o-mini-2024-07-18", None),
        ("gpt-4o-audio-preview", None),
        ("gpt-4", None),
        ("gpt-4o1", None),
        ("Qwen2.5-3B-Instruct", "qwen2.5-3b"),
        ("qwen2.5-3b-instruct", "qwen2.5-3b"),
        ("Qwen/Qwen2.5-3B-Instruct-GPTQ-Int4", "qwen2.5-3b"),
        ("Qwen2.5-Coder-3B-Instruct", None),
        ("Qwen2.5-VL-3B-Instruct", None),
        ("Qwen2.5-32B-Instruct", None),
        ("qwen3-1.7b", "qwen3-1.7b"),
        ("models/Qwen3-1.7B-Thinking/", "qwen3-1.7b"),
        ("Qwen3-4B-Instruct-2507", "qwen3-4b"),
        ("Qwen3-4B-Base-w8a8", "qwen3-4b"),
        ("qwen3:4b", "qwen3-4b"),
        ("Qwen3-Embedding-4B", None),
        ("Qwen3-14B", None),
        ("deepseek-chat", None),
        ("", None),
    ],
)
def test_the_pace_of_a_name(name: str, known: str | None):
    assert pace_of(name) == (PACES[known] if known else None)


def test_what_is_known_by_its_very_name_comes_first():
    own = Pace(latency=9, throughput=9)
    assert pace_of("gpt-4o-2024-08-06", {**PACES, "gpt-4o-2024-08-06": own}) == own
    assert pace_of("gpt-4o-mini", {**PACES, "gpt-4o-mini": own}) == own


class Call(NamedTuple):
    model: str | None
    seconds: float
    ttft: float | None
    completion_tokens: int | None


def test_the_pace_of_streamed_calls():
    """0.5 s to the first token and 50 a second after it; one call that hung for a minute changes nothing."""
    calls = [Call("a", 0.5 + tokens / 50, 0.5, tokens) for tokens in (10, 40, 100, 250)]
    assert fitted(calls) == {}, "too few"
    calls.append(Call("a", 65, 60, 100))
    assert fitted(calls)["a"].latency == 0.5
    assert fitted(calls)["a"].throughput == pytest.approx(50)


def test_the_pace_of_calls_that_came_whole():
    """A line through seconds over tokens: 0.7 s, and 40 tokens a second; with two calls that took ages."""
    calls = [Call("a", 0.7 + tokens / 40, None, tokens) for tokens in range(10, 200, 20)]
    calls += [Call("a", 90, None, 15), Call("a", 90, None, 150)]
    assert fitted(calls)["a"].latency == pytest.approx(0.7, abs=0.05)
    assert fitted(calls)["a"].throughput == pytest.approx(40, rel=0.02)


def test_many_calls_are_fitted_by_some_of_them():
    dice = random.Random(1)
    calls = [Call("a", 1 + tokens / 100 + dice.gauss(0, 0.05), None, tokens) for tokens in range(1, 2001)]
    assert fitted(calls)["a"].latency == pytest.approx(1, abs=0.1)
    assert fitted(calls)["a"].throughput == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize(
    "call",
    [
        Call("a", 3, None, None),
        Call("a", 3, None, 0),
        Call(None, 3, 1, 10),
        Call("a", 3, None, 10),
        Call("a", 3, 3, 10),
    ],
    ids=["no count", "no tokens", "no model", "all of one length", "all at once"],
)
def test_calls_that_tell_nothing(call: Call):
    assert fitted([call] * 20) == {}


def test_seconds_that_do_not_grow_with_tokens_have_no_pace():
    assert fitted([Call("a", 10 - tokens / 10, None, tokens) for tokens in range(20)]) == {}


def test_models_are_fitted_apart():
    calls = [
        Call(model, latency + tokens / speed, latency, tokens)
        for (model, latency, speed), tokens in itertools.product([("a", 1, 10), ("b", 2, 20)], range(10, 20))
    ]
    paces = fitted(calls)
    assert {model: (pace.latency, round(pace.throughput, 6)) for model, pace in paces.items()} == {
        "a": (1, 10),
        "b": (2, 20),
    }


def test_the_weight_decides_who_goes_first():
    """Of two steps that wait for the one worker: the weightier one."""
    plan = plan_of(step(1, budget=30), step(2, budget=10), step(3, budget=20))
    models = dict.fromkeys((1, 2, 3), "small")
    for weight, order in ((by_budget, [1, 3, 2]), (lambda each: -by_budget(each), [1, 2, 3])):
        expected = timeline(plan, models, MODELS, PLANNER, workers=1, weight=weight, written=lambda _: 1)
        assert [each.id for each in sorted(expected.steps, key=lambda each: each.start)] == order
