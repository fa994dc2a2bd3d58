"""How long a plan should take, by HybridFlow's model (arXiv 2512.22137), and how fast models are.

A step is there once the planner has written it: available_i = planner latency + Σ_{j≤i} tokens(text of step j) /
planner throughput. It starts when it is there, its dependencies have ended and (of W workers) one is free, by the
rule of the schedule itself; and end_i = start_i + latency + token budget_i / throughput.
"""

import itertools
import math
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol
from xml.sax.saxutils import quoteattr

from blocks.records import Record
from tasks.plans.records import Plan, Step
from tasks.plans.schedule import Weight, by_budget, in_order


class Pace(Record):
    """How fast a model answers: seconds until the first token, and tokens a second from then on."""

    latency: float
    throughput: float

    def seconds(self, tokens: float) -> float:
        """Return how long a reply of so many tokens takes."""
        return self.latency + tokens / self.throughput


PACES: Mapping[str, Pace] = {
    "gpt-4o": Pace(latency=0.735, throughput=144.5),
    "qwen3-4b": Pace(latency=0.69, throughput=184.1),
    "qwen3-1.7b": Pace(latency=0.69, throughput=184.1),
    "qwen2.5-3b": Pace(latency=0.69, throughput=64.53),
}
LOCAL_PLANNER = Pace(latency=0.5, throughput=71.2)

CHARACTERS_A_TOKEN = 4
FEWEST_CALLS, MOST_CALLS = 5, 200  # that a pace is fitted to; of more, every k-th
VARIANT = re.compile(  # what may follow a model's name without making it another model: kind, date, precision
    r"instruct|chat|it|base|thinking|latest|hf|awq|gptq|gguf|bnb|mlx|v?\d+|(int|fp|bf|f|q|w)\d+|\d+bit|w\d+a\d+|k|[sml]"
)


class StepTime(Record):
    """When a step is available, starts and ends, in seconds since the question, and the model that does it."""

    id: int
    model: str
    available: float
    start: float
    end: float


class Timeline(Record):
    """What is to be expected of a plan, in seconds since the question.

    - `planning`: when the plan is written; `total`: when the last step has ended.
    - `sequential`: planning and then one step after the other; `speed_up`: sequential / total.
    - `parallel_efficiency`: the speed-up for each worker; where their number is unlimited, for each of the most steps
      that are in flight at once. It may pass 1, as planning takes no worker.
    """

    steps: tuple[StepTime, ...]
    workers: int | None
    planning: float
    total: float
    sequential: float
    speed_up: float
    parallel_efficiency: float


def tokens_written(step: Step) -> float:
    """Estimate the tokens of a step's text in the plan: the characters of its XML element / 4.

    That is a usual figure for English; Chinese takes more.
    """
    rely = ",".join(map(str, step.depends_on))
    element = f'<Step ID="{step.id}" Task={quoteattr(step.task)} Difficulty="{step.difficulty}"'
    return len(f'{element} Token="{step.token_budget}" Rely="{rely}"/>') / CHARACTERS_A_TOKEN


def timeline(
    plan: Plan,
    models: Mapping[int, str],
    paces: Mapping[str, Pace],
    planner: Pace,
    *,
    workers: int | None = None,
    weight: Weight = by_budget,
    written: Callable[[Step], float] = tokens_written,
) -> Timeline:
    """Return when each step of a sound plan should start and end.

    `models` names each step's model by the step's id, `paces` has each of those models. Without `workers` no step
    waits for one, which is the published model. `weight` is the one that the schedule goes by; `written` gives the
    tokens of a step's text in the plan.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}: at least one is needed")
    texts = itertools.accumulate(written(step) for step in plan.steps)
    available = {step.id: planner.seconds(tokens) for step, tokens in zip(plan.steps, texts, strict=True)}
    seconds = {step.id: paces[models[step.id]].seconds(step.token_budget) for step in plan.steps}
    spans = _spans(plan.steps, available, seconds, workers or len(plan.steps), weight)
    planning, total = max(available.values()), max(span.end for span in spans.values())
    sequential = planning + sum(seconds.values())
    return Timeline(
        steps=tuple(
            StepTime(id=step.id, model=models[step.id], available=available[step.id], **spans[step.id]._asdict())
            for step in plan.steps
        ),
        workers=workers,
        planning=planning,
        total=total,
        sequential=sequential,
        speed_up=sequential / total,
        parallel_efficiency=sequential / total / (workers or _most_at_once(spans.values())),
    )


class _Span(NamedTuple):
    start: float
    end: float


def _spans(
    steps: Sequence[Step], available: Mapping[int, float], seconds: Mapping[int, float], workers: int, weight: Weight
) -> dict[int, _Span]:
    """Go from event to event and start what the schedule would start."""
    spans: dict[int, _Span] = {}
    now = 0.0
    while len(spans) < len(steps):
        waiting = [step for step in steps if available[step.id] <= now and step.id not in spans]
        over = {id for id, span in spans.items() if span.end <= now}
        ready = [step for step in waiting if over >= set(step.depends_on)]
        started = in_order(ready, waiting, weight)[: workers - (len(spans) - len(over))]
        spans |= {step.id: _Span(now, now + seconds[step.id]) for step in started}
        if not started:
            events = itertools.chain(available.values(), (span.end for span in spans.values()))
            now = min((event for event in events if event > now), default=math.inf)
            if now == math.inf:
                raise ValueError("a step waits for one that never ends: the plan is not sound")
    return spans


def _most_at_once(spans: Iterable[_Span]) -> int:
    """Return the most spans that overlap; one that ends when another starts does not."""
    changes = sorted(change for span in spans for change in ((span.start, 1), (span.end, -1)))
    return max(1, *itertools.accumulate(change for _, change in changes))


def pace_of(model: str, known: Mapping[str, Pace] = PACES) -> Pace | None:
    """Return the pace of a model by its name: as it stands in `known`, else as a variant of one that does.

    Case, folders before the name, and what says only kind, date or precision make no difference:
    `Qwen/Qwen2.5-3B-Instruct` is `qwen2.5-3b` and `gpt-4o-2024-08-06` is `gpt-4o`, but `gpt-4o-mini` is not. None
    where the model is unknown.
    """
    if model in known:
        return known[model]
    parts = _parts(model)
    for name in sorted(known, key=len, reverse=True):
        own = _parts(name)
        if parts[: len(own)] == own and all(VARIANT.fullmatch(part) for part in parts[len(own) :]):
            return known[name]
    return None


def _parts(name: str) -> list[str]:
    return re.split(r"[-_:@\s]+", name.rstrip("/").rpartition("/")[2].casefold())


class Timed(Protocol):
    """A model call and its times, as a row of the store has them."""

    @property
    def model(self) -> str | None: ...
    @property
    def seconds(self) -> float: ...
    @property
    def ttft(self) -> float | None: ...
    @property
    def completion_tokens(self) -> int | None: ...


def fitted(calls: Iterable[Timed], fewest: int = FEWEST_CALLS) -> dict[str, Pace]:
    """Return the pace of each model that at least `fewest` calls tell of; a call without tokens tells nothing.

    Where so many were streamed: the median time to the first token, and the median time of a token after it. Else
    the line of seconds over tokens, by Theil (1950) and Sen (1968): the median slope between two calls, so that the
    odd call that took ages counts for little. A model whose seconds do not grow with its tokens has no pace.
    """
    by_model: dict[str, list[_Times]] = defaultdict(list)
    for call in calls:
        if call.model and call.completion_tokens:
            by_model[call.model].append(_Times(call.completion_tokens, call.seconds, call.ttft))
    paces = {model: _pace(those, fewest) for model, those in by_model.items() if len(those) >= fewest}
    return {model: pace for model, pace in paces.items() if pace is not None}


class _Times(NamedTuple):
    tokens: int
    seconds: float
    ttft: float | None


def _pace(calls: Sequence[_Times], fewest: int) -> Pace | None:
    streamed = [(ttft, (seconds - ttft) / tokens) for tokens, seconds, ttft in calls if ttft and ttft < seconds]
    if len(streamed) >= fewest:
        first, each = zip(*streamed, strict=True)
        return Pace(latency=statistics.median(first), throughput=1 / statistics.median(each))
    points = calls[:: 1 + len(calls) // MOST_CALLS]
    pairs = itertools.combinations(points, 2)
    slopes = [(b.seconds - a.seconds) / (b.tokens - a.tokens) for a, b in pairs if a.tokens != b.tokens]
    slope = statistics.median(slopes) if slopes else 0.0
    if slope <= 0:
        return None
    latency = statistics.median(call.seconds - slope * call.tokens for call in points)
    return Pace(latency=max(0.0, latency), throughput=1 / slope)
