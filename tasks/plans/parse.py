"""Reads the plan in a planner's reply, also while it is being written: a step is there when its element is complete.

What counts is the first sound plan outside of the thinking. A `<Plan>` behind one that is not sound, or was never
closed, starts over, and so does a `</think>` that nothing opened, as where a template opens it: all before it was
thinking. Text, fences and comments around the elements count for nothing, and a missing `<Plan>` or `</Plan>` does no
harm; but a reply that breaks off inside of a step is refused, whole as the steps before it may be, since the step
that was to bring them together is missing.

Safety: a reply is text from outside. Covered: declarations of a document type or of entities are refused, references
are resolved to single characters alone; a reply, a step and the number of steps have bounds; the time is linear in
the text, in however many pieces it comes; no control character gets into a task. Not covered: what a task says.
"""

import re
from xml.sax.saxutils import quoteattr

from tasks.plans.graph import PlanError as PlanError
from tasks.plans.graph import check
from tasks.plans.reading.draft import Draft
from tasks.plans.reading.elements import LONGEST_MARK, OPENING, ElementScan
from tasks.plans.reading.fields import ILLEGAL
from tasks.plans.records import Plan, Step

MOST_CHARACTERS = 1_000_000  # of a reply, its thinking included
MOST_OF_A_STEP = 10_000

MARK = re.compile(
    r"<(?:(?P<think>think(?:ing)?>)|(?P<end_of_thinking>/think(?:ing)?>)|(?P<comment>!--)"
    r"|(?P<declaration>!(?:DOCTYPE|ENTITY))|(?P<plan>plan(?=[\s/>]))|(?P<end_of_plan>/plan(?=[\s>]))"
    r"|(?P<step>step(?=[\s/>])))",
    re.IGNORECASE,
)
ENDS = {"think": re.compile(r"</think(?:ing)?>", re.IGNORECASE), "comment": re.compile("-->")}
UNENDED = {
    "think": "the reply was cut off while thinking: its <think> is never closed",
    "comment": "the reply has a comment (<!--) that is never closed",
}


def plan_of(text: str) -> Plan:
    """Return the plan in a whole reply; raises PlanError where there is none."""
    reader = PlanReader()
    reader.feed(text)
    return reader.close()


def plan_xml(plan: Plan) -> str:
    """Return a plan as XML, from which `plan_of` reads the same steps."""
    lines = [
        f'  <Step ID="{step.id}" Task={_attribute(step.task)} Difficulty="{step.difficulty}"'
        f' Token="{step.token_budget}" Rely="{",".join(map(str, step.depends_on))}"/>'
        for step in plan.steps
    ]
    return "\n".join(["<Plan>", *lines, "</Plan>"]) + "\n"


def _attribute(value: str) -> str:
    return quoteattr(ILLEGAL.sub("", value), {"\n": "&#10;", "\t": "&#9;"})


class PlanReader:
    """Reads one reply, piece by piece. How it is cut into pieces makes no difference to what is read.

    `starts` counts the times that reading began: by itself, by `restart()`, and by what shows in the reply that the
    steps given so far are no part of the plan. When it has risen, they are void: the plan has others.
    """

    def __init__(self) -> None:
        self.starts = 1
        self._begin()

    def _begin(self) -> None:
        self._text = ""  # what has come and is not done with, from `_at` on
        self._at = 0
        self._taken = 0
        self._inside = ""  # "think", "comment", "step", or none of them
        self._scan = ElementScan()
        self._refused = ""
        self._opened = False  # a <Plan> has come and no step of it yet
        self._cut = self._thought = False
        self._draft = Draft()
        self._given: list[Step] = []

    def feed(self, text: str) -> list[Step]:
        """Return the steps that are complete with this piece. In a plan that `close` accepts they are the same.

        No step is given any more of a plan that can be seen to be wrong.
        """
        room = MOST_CHARACTERS - self._taken
        if room < 0 or self._refused:
            return []
        text = ILLEGAL.sub("", text)
        self._taken += len(text)
        self._text += text[:room]
        given = self._read(final=False)
        if self._taken > MOST_CHARACTERS and not self._draft.sound:
            self._refused = f"the reply is longer than {MOST_CHARACTERS} characters"
        return given

    def restart(self) -> None:
        """Forget what was read: the reply comes again from its beginning."""
        self.starts += 1
        self._begin()

    def close(self) -> Plan:
        """Return the plan, at the end of the reply; raises PlanError where there is none.

        It may hold steps that `feed` did not give: a broken last one may be complete with the end alone.
        """
        self._read(final=True)
        if not self._draft.sound:
            self._fail()
            check(self._draft.steps)
        return Plan(steps=tuple(self._draft.steps), repairs=tuple(self._draft.repairs))

    def _fail(self) -> None:
        """Raise what keeps the reply from being a plan, where it is more than its steps."""
        steps = len(self._draft.steps)
        if fault := self._refused or self._draft.fault or UNENDED.get(self._inside):
            raise PlanError(fault)
        if self._cut:
            raise PlanError(f"the reply breaks off in the middle of a step, behind {steps} whole ones")
        if not steps:
            raise PlanError("the reply holds no <Step>" + (" outside of its thinking" if self._thought else ""))

    def _read(self, final: bool) -> list[Step]:
        self._given = []
        while not self._refused and self._advance(final):
            pass
        self._text, self._at = self._text[self._at :], 0
        return self._given

    def _advance(self, final: bool) -> bool:
        """Read on by one thing; False where more text is needed."""
        if self._inside == "step":
            return self._step(final)
        if self._inside:
            return self._past(ENDS[self._inside])
        return self._mark(final)

    def _past(self, end: re.Pattern[str]) -> bool:
        found = end.search(self._text, self._at)
        self._at = found.end() if found else max(self._at, len(self._text) - LONGEST_MARK)
        self._inside = "" if found else self._inside
        return found is not None

    def _mark(self, final: bool) -> bool:
        if mark := MARK.search(self._text, self._at):
            self._at = mark.end()
            self._meet(str(mark.lastgroup), mark.start())
            return True
        self._at = max(self._at, len(self._text) - LONGEST_MARK)
        _, opening, name = self._text[self._at :].rpartition("<")
        self._cut |= final and opening != "" and OPENING.lower().startswith(f"<{name.lower()}")
        return False

    def _meet(self, mark: str, start: int) -> None:
        self._thought |= mark in ("think", "end_of_thinking")
        if mark in ENDS:
            self._inside = mark
        elif mark == "end_of_thinking":
            self._start_over()
        elif mark == "declaration" and not self._draft.sound:
            self._refused = "the reply declares a document type or entities (<!DOCTYPE, <!ENTITY)"
        elif mark == "plan":
            self._opened = True
        elif mark == "end_of_plan":
            if not self._opened:
                self._draft.close()
            self._opened = False
        elif mark == "step":
            self._meet_step(start)

    def _meet_step(self, start: int) -> None:
        if self._draft.sound:
            self._draft.leave_aside()
            return
        if self._opened:
            self._start_over()
            self._draft.inside = True
        if not self._draft.ended:
            self._inside, self._scan, self._at = "step", ElementScan(), start

    def _start_over(self) -> None:
        self.starts += bool(self._draft.steps)
        self._given.clear()
        self._draft, self._opened, self._cut = Draft(), False, False

    def _step(self, final: bool) -> bool:
        window = self._text[self._at : self._at + MOST_OF_A_STEP]
        whole = len(window) == MOST_OF_A_STEP
        element = self._scan.end(window, final and not whole)
        if element is not None:
            self._at += element.length
            if step := self._draft.add(element, window):
                self._given.append(step)
        elif whole:
            self._at += len(OPENING)
            self._draft.fault = f"a <Step> is longer than {MOST_OF_A_STEP} characters, or never ends"
        elif final:
            self._at, self._cut = len(self._text), True
        else:
            return False
        self._inside = ""
        return True
