"""Log.txt: what was asked and answered, one attempt after the other, as attempts finish."""

from pathlib import Path

from blocks.records import AttemptRow, CallRow

WIDTH = 70


def start_log(path: Path, models: tuple[str, ...]) -> None:
    """Begin a log with the model configuration, unless it has been begun."""
    if not path.exists():
        path.write_text(model_configuration(models) + "\n")


def model_configuration(models: tuple[str, ...]) -> str:
    """The block that heads logs and summaries: which model is Model 1, which Model 2."""
    lines = [f"Model {number}: {name}" for number, name in enumerate(models, start=1)]
    rule = "=" * WIDTH
    return "\n".join([rule, "=== Model Configuration ===", *lines, rule, ""])


def append(path: Path, text: str) -> None:
    """Append one attempt in a single write, so that attempts that end together do not mix."""
    with path.open("a", encoding="utf-8", errors="replace") as log:
        log.write(text)


def transcript(attempt: AttemptRow, calls: list[CallRow], *, whole: bool = False) -> str:
    """One attempt as the log tells it: its outcome, then every response in order.

    A run that keeps no texts has them in no file; `whole` is for the terminal.
    """
    head = f"{'#' * WIDTH}\n{attempt.problem_id}, sample {attempt.sample}: {attempt.outcome}"
    if attempt.error:
        head += f" ({attempt.error_kind}: {attempt.error})"
    return "\n".join([head, "", *(response(call, whole) for call in calls), ""])


def response(call: CallRow, whole: bool) -> str:
    """One response with its stage and model; the text where the run keeps texts, or all is wanted."""
    text = (call.reply or "") if call.keep_text or whole else f"({call.completion_tokens} tokens, not kept)"
    return f"{'_' * WIDTH}\nResponse from {call.stage} (Model {call.model_number}):\n\n{text}\n"
