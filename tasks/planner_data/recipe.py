"""What is made of plans: the format of the rows, what is kept, how the questions are split."""

from typing import Literal, NamedTuple, get_args

Format = Literal["alpaca", "sharegpt", "preference"]
FORMATS: tuple[Format, ...] = get_args(Format)


class Fractions(NamedTuple):
    """The parts of the questions that go into each split; 1 together."""

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1


class Recipe(NamedTuple):
    """How rows are made. Nothing of it changes a call, so plans that are there serve any recipe.

    - `thinking`: whether there are files with the planner's thinking too.
    - `keep_repaired`: whether a plan stays that had to be repaired to be read.
    - `longest`: characters of a row: system, question and plan.
    - `seed`: of the splits.
    """

    format: Format = "alpaca"
    thinking: bool = False
    keep_repaired: bool = False
    longest: int = 16_000
    fractions: Fractions = Fractions()
    seed: int = 0
