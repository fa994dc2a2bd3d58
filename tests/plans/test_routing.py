"""Which model does a step."""

import asyncio
import subprocess
import sys

import pytest

from blocks.errors import PoolExhausted, UsageError
from tasks.parsing import BadReply
from tasks.plans.records import Size, Step
from tasks.plans.routing import ROUTERS, Routing, route, router_of, score_of
from tests.plans.scripted import step
from tests.processes import CHECKOUT


def of_difficulty(difficulty: int) -> Step:
    return Step(id=1, task="Think.", difficulty=difficulty, token_budget=100)


def routed(step: Step, routing: Routing, router: str = "threshold") -> Size:
    return asyncio.run(route(step, routing, router))


@pytest.mark.parametrize(
    ("threshold", "sizes"),
    [(5, "ssssLLLLL"), (1, "LLLLLLLLL"), (0, "LLLLLLLLL"), (9, "ssssssssL"), (10, "sssssssss"), (4.5, "ssssLLLLL")],
)
def test_a_step_as_difficult_as_the_threshold_is_for_the_large_model(threshold: float, sizes: str):
    routing = Routing("q", threshold=threshold)
    assert "".join("L" if routed(of_difficulty(n), routing) == "large" else "s" for n in range(1, 10)) == sizes


def test_five_is_the_usual_threshold():
    assert [routed(of_difficulty(n), Routing("q")) for n in (4, 5)] == ["small", "large"]


@pytest.mark.parametrize("router", ROUTERS)
def test_without_threshold_everything_is_for_the_large_model(router: str):
    routing = Routing("q", use_threshold=False)
    assert {routed(of_difficulty(n), routing, router) for n in range(1, 10)} == {"large"}


def at_random(seed: int = 0, questions: int = 40) -> list[Size]:
    routings = [Routing(f"q{number}", seed=seed) for number in range(questions)]
    return [routed(step(id), routing, "random") for routing in routings for id in range(1, 6)]


def test_random_is_even_and_the_same_every_time():
    sizes = at_random()
    assert 80 <= sizes.count("large") <= 120, "of 200"
    assert sizes == at_random()
    assert sizes != at_random(seed=1)
    assert len({tuple(sizes[n : n + 5]) for n in range(0, 200, 5)}) > 10, "questions differ"


def test_random_is_the_same_in_another_process():
    program = "from tests.plans.test_routing import at_random; print(*at_random(questions=5))"
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == at_random(questions=5)


def test_random_takes_any_id():
    assert routed(step(1), Routing("Frage \udcff"), "random") in ("small", "large")


def test_scored_goes_by_what_the_model_says():
    async def score(step: Step) -> int:
        return 10 - step.difficulty

    routing = Routing("q", score=score)
    assert [routed(of_difficulty(n), routing, "scored") for n in (1, 5, 6, 9)] == ["large", "large", "small", "small"]


def test_a_score_that_is_none_leaves_it_to_the_planner():
    async def score(step: Step) -> int:
        raise BadReply("hm")

    routing = Routing("q", score=score)
    assert [routed(of_difficulty(n), routing, "scored") for n in (4, 5)] == ["small", "large"]


def test_a_spent_model_is_not_hidden():
    async def score(step: Step) -> int:
        raise PoolExhausted("all models are spent")

    with pytest.raises(PoolExhausted):
        routed(of_difficulty(4), Routing("q", score=score), "scored")


def test_routers_go_by_name():
    assert list(ROUTERS) == ["threshold", "random", "scored"]
    assert router_of("Random") is ROUTERS["random"]
    with pytest.raises(UsageError, match=r"router 'best': .* choose from threshold, random, scored"):
        router_of("best")
    with pytest.raises(UsageError):
        routed(step(1), Routing("q", use_threshold=False), "best")
    with pytest.raises(ValueError, match="a model to ask"):
        routed(step(1), Routing("q"), "scored")


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("7", 7),
        (" 7\n", 7),
        ("**7**", 7),
        ("Difficulty: 7", 7),
        ("Difficulty:7.", 7),
        ("7/9", 7),
        ("7 / 9", 7),
        ("7 out of 9", 7),
        ("9/9", 9),
        ("a difficulty of 9", 9),
        ("On a scale of 1-9 this is a 3.", 3),
        ("On a scale from 1 to 9: 3, I say 3", 3),
        ("<think>2 or 3?</think>4", 4),
        ("(1–9): 6", 6),
    ],
)
def test_the_score_of_a_reply(text: str, score: int):
    assert score_of(text) == score


@pytest.mark.parametrize(
    "text",
    ["", "hard", "0", "10", "12", "7.5", "7,5", "5-6", "5 or 6", "7/10", "80%", "x7", "<think>7</think>", "1 to 9"],
)
def test_a_reply_without_one_score_is_refused(text: str):
    with pytest.raises(BadReply):
        score_of(text)
