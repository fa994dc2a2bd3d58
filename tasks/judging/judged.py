"""What is judged: the plans and steps of a run that answered questions by plans."""

from typing import NamedTuple

from blocks.records import AnswerRow, StepRow


class Question(NamedTuple):
    """One question that was answered: the steps of the plan that was carried out, and the model that wrote it."""

    answer: AnswerRow
    steps: tuple[StepRow, ...]
    planner: str | None

    @property
    def key(self) -> tuple[str, int]:
        """Its id and sample."""
        return self.answer.problem_id, self.answer.sample

    @property
    def answered_steps(self) -> tuple[StepRow, ...]:
        """The steps that have a result; of one that failed there is nothing to judge."""
        return tuple(step for step in self.steps if step.result is not None)


class JudgedRun(NamedTuple):
    """A run whose questions are judged; `references` are its models as they were named."""

    run_id: str
    dataset: str
    dataset_hash: str
    references: tuple[str, ...]
    questions: tuple[Question, ...]
