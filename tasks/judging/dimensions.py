"""What a judge scores, from 1 to 5: the dimensions of planners and of executors, and the stages that ask for them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from blocks.errors import UsageError
from blocks.records import StepRow

Role = Literal["planner", "executor"]
ROLES: tuple[Role, ...] = get_args(Role)

SCORES = (1, 2, 3, 4, 5)
USE = "use_of_dependencies"
DIMENSIONS: dict[Role, tuple[str, ...]] = {
    "planner": ("decomposition", "dependencies", "difficulty", "parallelism"),
    "executor": ("correctness", "completeness", USE, "conciseness"),
}
PLAN = 0  # stands for the plan where the number of a step would be


class Stages(NamedTuple):
    """The stages of one role: its judgement, and the second try after a reply that could not be used."""

    first: str
    repair: str


STAGES: dict[Role, Stages] = {role: Stages(f"judging_{role}", f"repairing_{role}") for role in ROLES}


def dimensions_of(step: StepRow) -> tuple[str, ...]:
    """Return what a step is scored by; one that relies on nothing has no use of dependencies to be judged."""
    return tuple(name for name in DIMENSIONS["executor"] if name != USE or step.depends_on)


def roles_of(named: Sequence[str], flag: str) -> tuple[Role, ...]:
    """Return the roles of these names, in the usual order; raises UsageError, which names the flag."""
    wanted = [name.strip().casefold() for name in named if name.strip()]
    unknown = [name for name in wanted if name not in ROLES]
    if unknown or not wanted:
        said = repr(unknown[0]) if unknown else "nothing is named"
        raise UsageError(f"{flag}: {said}; give planner, executor or planner,executor")
    return tuple(role for role in ROLES if role in wanted)
