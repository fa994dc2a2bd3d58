import dataclasses
import typing


@dataclasses.dataclass(order=True, frozen=True)
class Point:
    x: int
    y: "int" = 0
    names: typing.ClassVar[list] = []


print(Point(1, 2), sorted([Point(2), Point(1)]), dataclasses.asdict(Point(5)), typing.get_type_hints(Point)["y"])
