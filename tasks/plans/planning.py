"""The planner's reply as steps that come while it is still being written."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from blocks.errors import CallError
from blocks.records import CallRow
from tasks.models.reading import OnText
from tasks.plans.asking import Voice
from tasks.plans.parse import PlanError, PlanReader
from tasks.plans.records import Plan, Step

PLANS = 2  # times that the planner is asked


class Rewritten(Exception):
    """The reply began anew when steps of it were under way; `plan` is what it came to."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan


class Planning:
    """One request for a plan. `plan` and `call` are there when it has ended well."""

    def __init__(self, voice: Voice, number: int, error: str) -> None:
        self.plan: Plan | None = None
        self.call: CallRow | None = None
        self._voice, self._number, self._error = voice, number, error

    async def steps(self) -> AsyncIterator[Step]:
        """Yield the steps in the order of the text, each when its element is complete.

        Raises PlanError where they come to no plan, Rewritten where they came to another one than was given.
        """
        reader = PlanReader()
        written: asyncio.Queue[tuple[int, Step] | None] = asyncio.Queue()

        def hear(text: str | None) -> None:
            if text is None:
                reader.restart()
            for step in [] if text is None else reader.feed(text):
                written.put_nowait((reader.starts, step))

        asking = asyncio.create_task(self._ask(hear))
        asking.add_done_callback(lambda _: written.put_nowait(None))
        given, begun = list[Step](), 0  # in which start of the reading the first one was given
        try:
            while (one := await written.get()) is not None:
                start, step = one
                if start == reader.starts and begun in (0, start):
                    begun = start
                    given.append(step)
                    yield step
            self.call = await asking
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError, CallError, PlanError):
                await asking
        self.plan = reader.close()
        if given != list(self.plan.steps[: len(given)]):
            raise Rewritten(self.plan)
        for step in self.plan.steps[len(given) :]:
            yield step

    async def _ask(self, hear: OnText) -> CallRow:
        voice = self._voice
        text = voice.text(
            "planning", job="build_dataset" if voice.rules.guided else "plan_execute", error=self._error
        )
        ordinal = PLANS * voice.session.sample + self._number  # each sample's own, also where replies are recorded

        async def work() -> CallRow:
            return await voice.call("planning", text, ordinal=ordinal, on_text=hear)

        try:
            name = "planning" if self._number == 1 else "planning again"
            return await voice.session.around("planning", work, name=name)
        except TimeoutError:
            raise PlanError(f"the planner did not finish within {voice.rules.timeout:g} s") from None


async def each(plan: Plan) -> AsyncIterator[Step]:
    """Yield the steps of a plan that is known."""
    for step in plan.steps:
        yield step
