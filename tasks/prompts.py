"""The only reader of prompts/: one Jinja2 template a stage, in a folder a strategy or job."""

import functools
from pathlib import Path

import jinja2

FOLDER = Path(__file__).resolve().parents[1] / "prompts"


def render(job: str, stage: str, **values: object) -> str:
    """Render `prompts/<job>/<stage>.jinja`; a value that the template misses is an error."""
    return _environment().get_template(f"{job}/{stage}.jinja").render(**values).strip() + "\n"


def stages_of(job: str) -> list[str]:
    """Return the stages that a strategy or job has prompts for."""
    return sorted(path.stem for path in (FOLDER / job).glob("*.jinja"))


def texts_of(job: str) -> dict[str, str]:
    """Return the text of every prompt of a strategy or job, by stage: a part of what makes two runs equal."""
    return {stage: (FOLDER / job / f"{stage}.jinja").read_text(encoding="utf-8") for stage in stages_of(job)}


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # the reader is a model, not a browser
    )
