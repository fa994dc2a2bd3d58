"""The inputs in a reply: blocks `----INPUT i----`, a fenced body, `----END INPUT i----`.

Tags are read in any case, with any number of dashes and spaces. A body is kept byte for byte: it is what stands
between its fences, without the line break before the closing one; an empty line there ends it with a line break.
"""

import re
from typing import NamedTuple

_TAG = re.compile(
    r"^[\s>*#`_]*[-–—]+[\s*_]*(?P<end>END)?[\s_–—-]*INPUT[\s_#:–—-]*\d+[\s*_]*[-–—]*[\s*_:`]*$", re.IGNORECASE
)
_FENCE = re.compile(r"^\s*(?:`{3,}|~{3,})[^`]*$")
_CLOSING = re.compile(r"^\s*(?:`{3,}|~{3,})\s*$")


class _Tag(NamedTuple):
    line: int
    ends: bool


def inputs_of(reply: str) -> tuple[str, ...]:
    """Return the inputs of a reply, in its order; none where it holds none.

    What a model thought before its answer is no part of it. A last block that was cut off, in its fence or without
    one before its end tag, is left out.
    """
    lines = reply.rpartition("</think>")[2].split("\n")
    tags = [
        _Tag(number, match["end"] is not None) for number, line in enumerate(lines) if (match := _TAG.match(line))
    ]
    found: list[str] = []
    for tag, after in zip(tags, [*tags, _Tag(len(lines), ends=False)][1:], strict=False):
        body = None if tag.ends else _body(lines[tag.line + 1 : after.line], closed=after.ends)
        if body is not None:
            found.append(body)
    return tuple(found)


def _body(lines: list[str], closed: bool) -> str | None:
    """Return what is between the first fence and the last; without any the lines, if an end tag follows."""
    first = next((number for number, line in enumerate(lines) if _FENCE.match(line)), None)
    if first is not None:
        last = next((number for number in range(len(lines) - 1, first, -1) if _CLOSING.match(lines[number])), None)
        return None if last is None else "\n".join(lines[first + 1 : last])
    return "\n".join(lines) if closed else None
