from __future__ import annotations

number: int = 5
other: undefined_name


def function(argument: also_undefined) -> never_defined: ...


print(__annotations__, function.__annotations__)
