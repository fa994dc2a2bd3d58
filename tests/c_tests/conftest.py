"""Limits for both isolation levels, and a C program from a few lines."""

import pytest

from blocks.bubblewrap import detect_isolation
from blocks.limits import Limits
from tasks.c_tests.building import Program


@pytest.fixture(params=["bubblewrap", "process"])
def limits(request: pytest.FixtureRequest) -> Limits:
    """Tight limits, on each isolation level that the machine grants."""
    if request.param == "bubblewrap" and detect_isolation() != "bubblewrap":
        pytest.skip("bubblewrap is missing or refused here")
    fields = {"isolation": request.param, "cpu_seconds": 1.0, "wall_seconds": 3.0, "memory_mb": 64, "output_kb": 64}
    return Limits.model_validate(fields)


def program(body: str, path: str = "p001/C/p001.c") -> Program:
    """A program whose main is `body`; everything of the standard library is included."""
    names = ("stdio", "stdlib", "string", "math", "time", "unistd")
    includes = "\n".join(f"#include <{name}.h>" for name in names)
    return Program(text=f"{includes}\nint main(int argc, char **argv) {{\n{body}\nreturn 0;\n}}\n", path=path)
