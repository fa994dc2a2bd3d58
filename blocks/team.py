"""Team: which model serves which stage, as a Prefect Block."""

from collections.abc import Iterable

from prefect.blocks.core import Block
from pydantic import Field

from blocks.assignment import Assignment


class Team(Block):
    """A default model and the stages that another one serves; a list assigns by try, its last entry repeats."""

    _block_type_name = "Consort Team"
    _block_type_slug = "consort-team"

    default: str = Field(description="Model reference of every stage that is not named.")
    stages: dict[str, str | list[str]] = Field(
        default_factory=dict, description="Stage to model reference, or to one reference a try."
    )

    def assignment(self, stages: Iterable[str]) -> Assignment:
        """Number the models of those stages that a strategy has, by their first appearance, the default first."""
        by_try = {
            stage: [said] if isinstance(said, str) else said
            for stage, said in self.stages.items()
            if stage in set(stages)
        }
        models = list(dict.fromkeys([self.default, *(name for names in by_try.values() for name in names)]))
        return Assignment(
            models=tuple(models),
            stages={
                stage: tuple(models.index(name) + 1 for name in names) for stage, names in sorted(by_try.items())
            },
        )
