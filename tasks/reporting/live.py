"""What a live bar says beside its counts: the model in use, how many are left, tokens and cost so far."""

from blocks.records import AttemptRow, CallRow
from tasks.runs import OpenRun

FIT = "fit"


class Usage:
    """Tokens and cost of the attempts that ended in an execution; it hears of them through the run's `tell`."""

    def __init__(self, run: OpenRun) -> None:
        self._run = run
        self._tokens = 0
        self._cost: float | None = 0.0
        self._currency = "USD"
        others = run.tell

        def tell(row: AttemptRow, calls: list[CallRow]) -> None:
            for call in calls:
                self._add(call)
            if others is not None:
                others(row, calls)

        run.tell = tell

    def text(self) -> str:
        """Return the words, as they are now; none where no model is asked."""
        if not self._run.models:
            return ""
        cost = "cost unknown" if self._cost is None else f"{self._cost:.4f} {self._currency}"
        return ", ".join([*self._models(), f"{self._tokens:,} tokens", cost])

    def _add(self, call: CallRow) -> None:
        self._tokens += (call.prompt_tokens or 0) + (call.completion_tokens or 0)
        if call.cost is None or self._cost is None:
            self._cost = None
        else:
            self._cost += call.cost
            self._currency = call.currency or self._currency

    def _models(self) -> list[str]:
        said = []
        for model in self._run.models:
            standing = model.standing()
            fit = [each for each in standing if each.state == FIT]
            used = fit[0].model if fit else "no model"
            said.append(used if len(standing) == 1 else f"{used} ({len(fit)} of {len(standing)} models left)")
        return said
