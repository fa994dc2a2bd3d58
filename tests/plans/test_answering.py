"""One question through plan, steps, aggregation and check, with real HTTP to recorded and scripted servers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.responses import Response, StreamingResponse

from blocks.errors import CallError, PoolExhausted, Transient
from blocks.records import AnswerRow, CallRow, StepRow
from blocks.spool import read_lines
from tasks.plans.answering import Answering
from tasks.plans.asking import Rules
from tasks.plans.jobs import Asking, Roles, prepare_plans
from tasks.plans.records import Question
from tasks.session import Session
from tests.models.pools import once, serving, soon, whole
from tests.plans.recordings import plan, record, reply

CHAIN = ((1, 2, ()), (2, 3, (1,)), (3, 7, (2,)))
FAN = ((1, 2, ()), (2, 3, (1,)), (3, 3, (1,)), (4, 2, (2, 3)))
UNKNOWN = '<Plan><Step ID="1" Task="a" Difficulty="2" Token="50" Rely=""/><Step ID="2" Task="b" Rely="7"/></Plan>'

Replies = list[dict[str, Any]]


class Answered(NamedTuple):
    """What became of a question: its row, the rows of all steps, and its calls."""

    answer: AnswerRow
    steps: Sequence[StepRow]
    calls: Sequence[CallRow]

    @property
    def kept(self) -> dict[int, StepRow]:
        return {row.step: row for row in self.steps if not row.discarded}

    def prompts(self, stage: str) -> list[str]:
        return [(call.messages or [])[0].content for call in self.calls if call.stage == stage]


class Case:
    """Recorded replies for the question "q", to be changed by a test."""

    def __init__(self, folder: Path, shape: Any = CHAIN, answer: str = "42") -> None:
        self.folder = folder
        self.question = Question(id="query", text="What is six times seven?", answer=answer)
        self.planner: Replies = [reply("query", "planning", plan(shape))]
        self.small: Replies = [reply("query", "aggregation", "**42**")]
        self.large: Replies = [reply("query", "direct", "Final answer: 42")]
        for id, _, _ in shape:
            self.small.append(reply("query", "step", f"small {id}", id))
            self.large.append(reply("query", "step", f"large {id}", id))
        self.roles: dict[str, str] = {}

    def replace(self, who: str, stage: str, n: int = 1, **fields: Any) -> None:
        replies: Replies = getattr(self, who)
        for each in replies:
            if (each["stage"], each["n"]) == (stage, n):
                each.update(fields)
                return
        raise AssertionError("there is no such reply")

    async def answered(self, **rules: Any) -> Answered:
        return (await self.asked(1, **rules))[0]

    async def asked(self, times: int, **rules: Any) -> list[Answered]:
        """Ask so often in one run."""
        asking = await self.prepared(**rules)
        found = []
        async with asking.job.open() as run:
            for _ in range(times):
                session = Session(run, asking.job.problems[0], 0)
                answering = Answering(session, self.question, asking.rules)
                answer = await answering.answer()
                found.append(Answered(answer, answering.rows, tuple(session.calls)))
            assert [AnswerRow.model_validate_json(line) for _, line in read_lines(run.spool.folder / "answers")]
        return found

    async def prepared(self, **rules: Any) -> Asking:
        models = {
            name: f"recorded:{record(self.folder / f'{name}.jsonl', getattr(self, name))}"
            for name in ("planner", "small", "large")
        }
        return await prepare_plans(
            query=self.question.text,
            dataset=None,
            given=Roles(**{**models, **self.roles}),
            rules=Rules(**rules),
            questions=1,
            limit=None,
            temperature=None,
            top_p=None,
            output=self.folder / "out",
        )


async def test_a_plan_is_carried_out_and_its_results_are_brought_together(tmp_path: Path):
    found = await Case(tmp_path).answered()
    answer = found.answer
    assert (answer.prediction, answer.correct, answer.fallback) == ("**42**", True, None)
    assert (answer.steps, answer.critical_path, answer.compression_ratio) == (3, [1, 2, 3], 1.0)
    assert [(row.size, row.result) for row in found.steps] == [
        ("small", "small 1"), ("small", "small 2"), ("large", "large 3"),
    ]  # fmt: skip
    assert "small 2" in found.prompts("step")[2]
    assert all(result in found.prompts("aggregation")[0] for result in ("small 1", "small 2", "large 3"))
    starts = [row.started_seconds for row in found.steps]
    assert starts == sorted(starts)  # type: ignore[type-var]
    assert answer.wall_seconds is not None
    assert answer.wall_seconds >= sum(row.seconds for row in found.steps)


@pytest.mark.parametrize(
    ("rules", "sizes"),
    [
        ({"threshold": 2.0}, ["large", "large", "large"]),
        ({"threshold": 8.0}, ["small", "small", "small"]),
        ({"threshold": 3.0}, ["small", "large", "large"]),
        ({"threshold": 9.0, "use_threshold": False}, ["large", "large", "large"]),
    ],
)
async def test_the_threshold_routes(tmp_path: Path, rules: dict[str, Any], sizes: list[str]):
    found = await Case(tmp_path).answered(**rules)
    assert [row.size for row in found.steps] == sizes


async def test_the_scored_router_asks_for_each_step(tmp_path: Path):
    case = Case(tmp_path)
    case.planner += [reply("query", "scoring", score, n) for n, score in ((1, "9"), (2, "Difficulty: 1"), (3, "?"))]
    found = await case.answered(router="scored")
    assert [row.size for row in found.steps] == ["large", "small", "large"]
    assert len(found.prompts("scoring")) == 3


async def test_a_plan_that_is_refused_is_asked_for_again_with_its_error(tmp_path: Path):
    case = Case(tmp_path)
    case.planner = [reply("query", "planning", UNKNOWN), reply("query", "planning", plan(CHAIN), 2)]
    found = await case.answered()
    assert found.answer.correct is True
    assert [(row.plan, row.step, row.discarded) for row in found.steps] == [
        (1, 1, True), (2, 1, False), (2, 2, False), (2, 3, False),
    ]  # fmt: skip
    first, second = found.prompts("planning")
    assert "7" in second.replace(first, "")
    assert len(second) > len(first)


async def test_two_bad_plans_are_answered_directly(tmp_path: Path):
    case = Case(tmp_path)
    case.planner = [reply("query", "planning", UNKNOWN)]
    found = await case.answered()
    assert (found.answer.fallback, found.answer.correct) == ("direct", True)
    assert found.answer.prediction == "Final answer: 42"
    assert (found.answer.steps, found.answer.plan, found.kept) == (0, None, {})
    assert all(row.discarded for row in found.steps)


@pytest.mark.parametrize(
    "failure", [{"content": ""}, {"content": "<think>long thought</think>\n"}, {"status": 400, "body": "no"}]
)
async def test_a_small_model_that_fails_is_escalated_once(tmp_path: Path, failure: dict[str, Any]):
    case = Case(tmp_path)
    case.replace("small", "step", 2, **failure)
    found = await case.answered()
    row = found.kept[2]
    assert (row.size, row.escalated, row.result, row.error) == ("large", True, "large 2", None)
    assert row.prompt_tokens == (100 if "content" in failure else 50)
    assert (found.answer.correct, found.answer.failed_steps) == (True, 0)


async def test_a_step_that_fails_costs_its_dependants_only(tmp_path: Path):
    case = Case(tmp_path, FAN)
    case.replace("small", "step", 2, content="")
    case.replace("large", "step", 2, content="", status=400, body="secret words of the server")
    found = await case.answered()
    assert found.kept[2].result is None
    assert found.kept[2].error
    assert [found.kept[step].result for step in (1, 3, 4)] == ["small 1", "small 3", "small 4"]
    last = found.prompts("step")[-1]
    assert "no result for step 2" in last
    assert "secret words" not in "".join(found.prompts("step") + found.prompts("aggregation"))
    assert (found.answer.failed_steps, found.answer.correct) == (1, True)


async def test_where_no_step_has_a_result_the_large_model_answers(tmp_path: Path):
    case = Case(tmp_path)
    for step in (1, 2, 3):
        case.replace("small", "step", step, content="")
        case.replace("large", "step", step, content="")
    found = await case.answered()
    assert (found.answer.fallback, found.answer.prediction) == ("direct", "Final answer: 42")
    assert (found.answer.steps, found.answer.failed_steps) == (3, 3)


async def test_a_step_that_never_answers_ends_at_its_deadline(tmp_path: Path):
    case = Case(tmp_path, FAN)
    case.replace("small", "step", 2, latency=600)
    case.replace("large", "step", 2, latency=600)
    found = await case.answered(timeout=1.5)
    assert found.kept[2].result is None
    assert "within 1.5 s" in (found.kept[2].error or "")
    assert found.kept[3].result == "small 3"
    assert found.answer.correct is True


async def test_a_question_ends_at_its_deadline(tmp_path: Path):
    case = Case(tmp_path, FAN)
    case.replace("small", "step", 2, latency=600)
    found = await case.answered(question_timeout=2.0)
    assert [row.result for row in found.kept.values()] == ["small 1", None, "small 3", None]
    assert "within 2 s" in (found.kept[2].error or "")
    assert found.answer.correct is True


async def test_a_planner_that_never_answers(tmp_path: Path):
    case = Case(tmp_path)
    case.replace("planner", "planning", latency=600)
    found = await case.answered(timeout=0.7)
    assert (found.answer.fallback, found.answer.correct) == ("direct", True)


async def test_the_last_result_stands_in_for_an_aggregator_that_fails(tmp_path: Path):
    case = Case(tmp_path)
    case.replace("small", "aggregation", content="")
    case.replace("large", "step", 3, content="so 42")
    found = await case.answered()
    assert (found.answer.prediction, found.answer.aggregated) == ("so 42", False)


async def test_an_aggregator_of_its_own(tmp_path: Path):
    case = Case(tmp_path)
    case.roles["aggregator"] = f"recorded:{record(tmp_path / 'agg.jsonl', [reply('query', 'aggregation', '41')])}"
    found = await case.answered()
    assert (found.answer.prediction, found.answer.correct) == ("41", False)


async def test_a_judge_decides_what_no_rule_can(tmp_path: Path):
    case = Case(tmp_path, answer="because the sky scatters blue light")
    judge = [reply("query", "judging", "It seems right."), reply("query", "judging", "true", 2)]
    case.roles["judge"] = f"recorded:{record(tmp_path / 'judge.jsonl', judge)}"
    case.replace("small", "aggregation", content="Blue light is scattered most.")
    found = await case.answered()
    assert (found.answer.correct, found.answer.decided_by) == (True, "judge")
    assert "Blue light is scattered most." in found.prompts("judging")[0]
    without = Case(tmp_path / "without", answer="because the sky scatters blue light")
    without.folder.mkdir()
    without.replace("small", "aggregation", content="Blue light is scattered most.")
    assert (await without.answered()).answer.correct is None


async def test_the_same_again_is_paid_for_once(tmp_path: Path):
    case = Case(tmp_path, FAN)
    case.replace("small", "step", 2, content="")
    first, second = await case.asked(2)
    assert [call.call_key for call in first.calls] == [call.call_key for call in second.calls]
    different = {"written_at", "wall_seconds", "planning_seconds"}
    assert first.answer.model_dump(exclude=different) == second.answer.model_dump(exclude=different)
    assert second.answer.wall_seconds is not None
    for before, after in zip(first.steps, second.steps, strict=True):
        assert before.model_dump(exclude={"written_at", "started_seconds", "seconds"}) == after.model_dump(
            exclude={"written_at", "started_seconds", "seconds"}
        )


async def test_the_steps_of_an_answer_that_is_replayed_began_when_their_calls_did(tmp_path: Path):
    _, second = await Case(tmp_path, FAN).asked(2)
    began = min(call.started_at for call in second.calls)
    calls = {call.ordinal: call for call in second.calls if call.stage == "step"}
    assert len(second.steps) == len(calls) == len(FAN)
    for step in second.steps:
        assert step.started_seconds == pytest.approx((calls[step.step].started_at - began).total_seconds(), abs=1e-6)


async def test_budgets_are_sent_where_they_are_enforced(tmp_path: Path):
    async with serving() as server:
        case = Case(tmp_path)
        case.roles["small"] = f"{server.url}#small"
        await case.answered()
        await (case := _beside(case)).answered(enforce_budget=True)
    assert [body.get("max_tokens") for body in server.asked] == [None, None, None, 50, 60, None]


def _beside(case: Case) -> Case:
    other = Case(case.folder / "other")
    other.folder.mkdir()
    other.roles = case.roles
    return other


async def test_steps_start_while_the_planner_writes(tmp_path: Path):
    """The planner is held back until the first step has been asked for: without streaming nothing would go on."""
    asked = asyncio.Event()

    async def pieces() -> AsyncIterator[str]:
        text = plan(CHAIN)
        first = text.index("/>") + 2
        yield _chunk(text[:first])
        async with asyncio.timeout(20):
            await asked.wait()
        yield _chunk(text[first:])
        yield _end()

    def step(body: dict[str, Any]) -> Response:
        asked.set()
        return whole("done")

    async with serving() as server:
        server.answers = {"planner": lambda _: StreamingResponse(pieces(), media_type="text/event-stream")}
        server.answers["small"] = step
        case = Case(tmp_path)
        case.roles |= {"planner": f"{server.url}#planner", "small": f"{server.url}#small"}
        found = await case.answered()
    assert [row.result for row in found.kept.values()] == ["done", "done", "large 3"]


async def test_a_plan_that_changes_when_its_stream_starts_over(tmp_path: Path):
    """What the first stream gave is discarded; the plan that came whole is carried out."""
    begun = asyncio.Event()

    async def cut() -> AsyncIterator[str]:
        yield _chunk('<Plan><Step ID="1" Task="other" Difficulty="1" Token="9" Rely=""/>')
        async with asyncio.timeout(20):
            await begun.wait()

    def step(body: dict[str, Any]) -> Response:
        begun.set()
        return whole("done")

    async with serving() as server:
        cut_off: Callable[[dict[str, Any]], Response]
        cut_off = lambda _: StreamingResponse(cut(), media_type="text/event-stream")  # noqa: E731
        server.answers = {"planner": once(cut_off, lambda _: whole(plan(CHAIN))), "small": step}
        case = Case(tmp_path)
        case.roles |= {"planner": f"{server.url}#planner", "small": f"{server.url}#small"}
        found = await case.answered()
    assert [(row.task, row.discarded) for row in found.steps] == [
        ("other", True), ("Step 1 of this", False), ("Step 2 of this", False), ("Step 3 of this", False),
    ]  # fmt: skip


async def test_a_spent_model_is_raised_and_what_was_in_flight_is_kept(tmp_path: Path):
    """The steps beside the one that met it come to their end and are found in the cache afterwards."""
    release = asyncio.Event()

    async def answer(body: dict[str, Any]) -> Response:
        task = body["messages"][0]["content"].split("# Your step")[1]
        if "Step 2" in task:
            release.set()
            return Response("{}", status_code=402)
        if "Step 3" in task:
            await release.wait()
        return whole("done")

    async with serving() as server:
        server.answers = {"small": answer}
        case = Case(tmp_path, FAN)
        case.roles["small"] = f"{server.url}#small"
        asking = await case.prepared()
        async with asking.job.open() as run:
            session = Session(run, asking.job.problems[0], 0)
            with pytest.raises(CallError):
                await Answering(session, case.question, asking.rules).answer()
            assert [call.ordinal for call in session.calls if call.stage == "step"] == [1, 3]


def _chunk(text: str) -> str:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}}]})}\n\n"


def _end() -> str:
    return 'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


async def test_a_call_that_waits_for_a_server_is_no_failure_of_its_step(tmp_path: Path):
    async with serving() as server:
        case = Case(tmp_path)
        case.roles["small"] = f"{server.url}#a"
        asking = await case.prepared()
        opened = asking.job.open()
        run = await opened.__aenter__()
    session = Session(run, asking.job.problems[0], 0)
    pool = next(pool for pool in run.models if pool.endpoints[0].block.base_url == server.url)
    waiting = asyncio.ensure_future(pool.outlasts(pool.members[0], Transient("nobody answers")))
    await soon(lambda: pool.away)
    with pytest.raises(PoolExhausted, match=r"no server of a answered within 0\.2 s"):
        await session.within(0.2, session.call("step", "Do it.", try_number=1))
    waiting.cancel()
    await opened.__aexit__(None, None, None)
