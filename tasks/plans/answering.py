"""One question from the planner's first words to a checked answer.

The planner's steps are carried out while it is still writing (tasks/plans/schedule.py). A plan that cannot be carried
out is asked for once more, with the error quoted; after that, and where no step has a result, the large model answers
by itself. What the planner writes is data: it becomes the text of prompts and nothing else.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from blocks.errors import CallError, Transient
from blocks.records import AnswerRow, CallRow, StepRow, now
from tasks.parsing import BadReply, answer_of
from tasks.plans.asking import Rules, Voice, rotates, seconds
from tasks.plans.checking.answers import decide, judged
from tasks.plans.graph import compression_ratio, critical_path
from tasks.plans.parse import PlanError, plan_xml
from tasks.plans.performing import Performer, earlier, names
from tasks.plans.planning import PLANS, Planning, Rewritten, each
from tasks.plans.records import Plan, Question
from tasks.plans.schedule import Schedule
from tasks.session import Session

JUDGED = 2  # times that the judge is


class Checked(NamedTuple):
    """Whether an answer is right, None where nobody can tell; and what told."""

    correct: bool | None
    decided_by: str | None


class Answering:
    """The work on one question. Its rows are in the spool when it is answered; `rows` has those of all steps."""

    def __init__(self, session: Session, question: Question, rules: Rules) -> None:
        self.voice = Voice(session, question, rules)
        self.began = now()
        self.planned: CallRow | None = None  # the planner's last call
        self.plan: Plan | None = None
        self.rows: list[StepRow] = []
        self.aggregated = False

    async def answer(self, *, fallback: bool = True) -> AnswerRow:
        """Answer the question by a plan. Raises CallError where no answer can be had.

        Without `fallback` nobody is asked in a plan's place: the question is left without an answer.
        """
        results = await self._by_plan()
        if any(row.result is not None for row in results):
            return await self._ended(await self._aggregate(results), None)
        return await self._ended(await self._direct(), "direct") if fallback else await self._ended(None, None)

    async def plan_alone(self) -> AnswerRow:
        """Have the question planned, and nothing carried out."""
        error = ""
        for number in range(1, PLANS + 1):
            planning = Planning(self.voice, number, error)
            try:
                async for _ in planning.steps():
                    pass
                self.plan = planning.plan
            except PlanError as problem:
                error = str(problem)
            except Rewritten as rewritten:
                self.plan = rewritten.plan
            finally:
                self.planned = planning.call or self.planned
            if self.plan is not None:
                break
        return await self._ended(None, None)

    async def answer_alone(self) -> AnswerRow:
        """Answer the question by one call, without a plan."""
        return await self._ended(await self._direct(), None)

    async def _by_plan(self) -> list[StepRow]:
        """Return the rows of the steps of a plan that was carried out; none where there is no plan."""
        error = ""
        for number in range(1, PLANS + 1):
            planning, performer = Planning(self.voice, number, error), Performer(self.voice, number, self.began)
            schedule = self._schedule(performer)
            try:
                await schedule.run(planning.steps())
            except PlanError as problem:
                self._keep(schedule.done.values(), discarded=True)
                error = str(problem)
                continue
            except Rewritten as rewritten:
                self._keep(schedule.done.values(), discarded=True)
                schedule = self._schedule(performer)
                await schedule.run(each(rewritten.plan))
            finally:
                self.planned = planning.call or self.planned
            self.plan = planning.plan
            if self.plan is None:  # its time was over before it was whole
                self._keep(schedule.done.values(), discarded=True)
                return []
            return self._keep(self._rows(schedule, self.plan, performer))
        return []

    def _schedule(self, performer: Performer) -> Schedule[StepRow]:
        rules = self.voice.rules
        left = max(0.0, rules.question_timeout - seconds(self.began, now()))
        return Schedule(performer.perform, workers=rules.workers, deadline=left)

    def _rows(self, schedule: Schedule[StepRow], plan: Plan, performer: Performer) -> list[StepRow]:
        """The rows of a plan's steps in its order; those that came to no end in time have failed."""
        error = f"not done within {self.voice.rules.question_timeout:g} s"
        return [
            schedule.done.get(step.id) or performer.row(step, "small", now(), [], error=error) for step in plan.steps
        ]

    def _keep(self, rows: Iterable[StepRow], *, discarded: bool = False) -> list[StepRow]:
        kept = [row.model_copy(update={"discarded": discarded}) for row in rows]
        self.rows += kept
        return kept

    async def _aggregate(self, results: Sequence[StepRow]) -> str:
        """Return the aggregator's answer; the last result stands in where it gives none."""
        voice = self.voice
        text = voice.text("aggregation", results=earlier(results))

        async def work() -> str:
            try:
                return answer_of((await voice.call("aggregation", text)).reply or "")
            except TimeoutError:
                return ""
            except CallError as problem:
                if rotates(problem):
                    raise
                return ""

        said = await voice.session.around("aggregation", work, name="aggregation", after=names(results))
        self.aggregated = bool(said)
        return said or next(row.result for row in reversed(results) if row.result is not None)

    async def _direct(self) -> str:
        voice = self.voice
        text = voice.text("direct", job="questions")

        async def work() -> str:
            try:
                return answer_of((await voice.call("direct", text)).reply or "")
            except TimeoutError:
                raise Transient(f"no answer within {voice.rules.timeout:g} s") from None

        return await voice.session.around("direct", work, name="direct")

    async def _ended(self, prediction: str | None, fallback: str | None) -> AnswerRow:
        """Check the answer, where there is one, and write the rows."""
        ended = now()
        checked = await self._checked(prediction) if prediction is not None else Checked(None, None)
        session, question, plan = self.voice.session, self.voice.question, self.plan
        times = self._times(ended)
        row = AnswerRow(
            run_id=session.run.run_id,
            problem_id=question.id,
            sample=session.sample,
            question=question.text,
            subject=question.subject,
            answer=question.answer,
            prediction=prediction,
            correct=checked.correct,
            decided_by=checked.decided_by,
            plan=plan_xml(plan) if plan else None,
            fallback=fallback,
            repairs=list(plan.repairs) if plan else [],
            steps=len(plan.steps) if plan else 0,
            failed_steps=sum(row.result is None for row in self.rows if not row.discarded),
            critical_path=list(critical_path(plan)) if plan else [],
            compression_ratio=compression_ratio(plan) if plan else None,
            aggregated=self.aggregated,
            planning_seconds=seconds(times.began, self.planned.finished_at) if self.planned else None,
            wall_seconds=seconds(times.began, times.ended) if times.known else None,
            execution_id=session.run.execution_id,
        )
        self.rows = [self._timed(step, times) for step in self.rows]
        for step in self.rows:
            session.run.spool.append(step)
        session.run.spool.append(row)
        return row

    async def _checked(self, prediction: str) -> Checked:
        voice = self.voice
        checked = Checked(*decide(voice.question, prediction))
        if checked.correct is not None or voice.question.answer is None or not voice.rules.judge:
            return checked
        text = voice.text("judging", job="questions", prediction=prediction)

        async def work() -> Checked:
            for _ in range(JUDGED):
                try:
                    return Checked(judged((await voice.call("judging", text)).reply or ""), "judge")
                except BadReply:
                    continue
                except TimeoutError:
                    raise Transient(f"no judgement within {voice.rules.timeout:g} s") from None
            return Checked(None, None)

        return await voice.session.around("judging", work, name="judging")

    def _times(self, ended: datetime) -> "_Times":
        """When the question began and ended: by its calls, where all of them were made by an earlier execution.

        Where some were, there was a pause of unknown length in between.
        """
        calls, here = self.voice.session.calls, self.voice.session.run.execution_id
        executions = {call.execution_id for call in calls}
        began = min([self.began, *(call.started_at for call in calls)])
        if calls and here not in executions:
            ended = max(call.finished_at for call in calls)
        return _Times(began, ended, len(executions) == 1)

    def _timed(self, row: StepRow, times: "_Times") -> StepRow:
        """A step's row with its start counted from the question's beginning."""
        if row.started_seconds is None or not times.known:
            return row.model_copy(update={"started_seconds": None})
        return row.model_copy(update={"started_seconds": row.started_seconds + seconds(times.began, self.began)})


class _Times(NamedTuple):
    began: datetime
    ended: datetime
    known: bool
