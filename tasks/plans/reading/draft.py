"""The plan that is being read out of a reply: its steps so far, what was put right, and whether it is sound."""

from tasks.plans.graph import PlanError, check, check_next
from tasks.plans.reading.elements import Element
from tasks.plans.reading.fields import fields_of
from tasks.plans.reading.values import shortened, step_of
from tasks.plans.records import Step


class Draft:
    """The steps of the plan that is being read.

    `inside`: a <Plan> opened it. `ended`: no more steps come to it, since it is closed or wrong.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.repairs: list[str] = []
        self.fault = ""
        self.inside = False
        self._closed = False

    @property
    def sound(self) -> bool:
        return self._closed and not self.fault

    @property
    def ended(self) -> bool:
        return self._closed or bool(self.fault)

    def add(self, element: Element, text: str) -> Step | None:
        """Return the step that an element is; None where it is none, as when prose outside of a <Plan> names one."""
        fields = fields_of(element, text)
        if not fields.parts and not self.inside:
            return None
        try:
            if not fields.parts and (element.attributes is None or not element.closed):
                raise PlanError(f"a <Step> cannot be read: {shortened(text[: element.size])}")
            reading = step_of(fields, self.steps)
            check_next(self.steps, reading.step)
        except PlanError as wrong:
            self.fault = str(wrong)
            return None
        self.steps.append(reading.step)
        self.repairs.extend(reading.repairs)
        return reading.step

    def close(self) -> None:
        """Take note of `</Plan>`; an empty plan, as prose may mention, is not closed by it."""
        if not self.steps or self.ended:
            return
        self._closed = True
        try:
            check(self.steps)
        except PlanError as wrong:
            self.fault = str(wrong)

    def leave_aside(self) -> None:
        note = "what follows the plan holds steps too, which are left aside"
        if note not in self.repairs:
            self.repairs.append(note)
