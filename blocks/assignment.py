"""Assignment: the numbered models of a run and the stages that each one serves."""

from pydantic import Field

from blocks.errors import UsageError
from blocks.records import Record


class Assignment(Record):
    """Models by number, from 1; per stage the number for each try, whose last entry repeats."""

    models: tuple[str, ...] = Field(min_length=1)
    stages: dict[str, tuple[int, ...]] = Field(default_factory=dict)

    def model_number(self, stage: str, try_number: int = 1) -> int:
        """Return the number of the model that serves this try of a stage."""
        numbers = self.stages.get(stage) or (1,)
        return numbers[min(try_number, len(numbers)) - 1]


def assign(model1: str | None, model2: str | None, stages: dict[str, str]) -> Assignment:
    """Build an assignment from `--model1`, `--model2` and `--assign.<stage> 1,1,2`.

    Raises UsageError where a stage asks for a model that is not there.
    """
    if not model1:
        raise UsageError("no model given; name one with --model1 (or --model, or --team)")
    models = (model1, model2) if model2 else (model1,)
    numbered = {stage: _numbers(stage, said) for stage, said in sorted(stages.items())}
    wanted = max((number for numbers in numbered.values() for number in numbers), default=1)
    if wanted > len(models):
        raise UsageError(f"Model {wanted} is not configured but was requested")
    return Assignment(models=models, stages=numbered)


def _numbers(stage: str, said: str) -> tuple[int, ...]:
    parts = [part.strip() for part in str(said).split(",")]
    if not all(part in ("1", "2") for part in parts):
        raise UsageError(f"--assign.{stage} {said!r} is not a model number or a list of them, such as 2 or 1,1,2")
    return tuple(int(part) for part in parts)
