"""ResultsStore: the folder of runs, spools and the DuckDB file, as a Prefect Block.

`python -m blocks.store ingest [--output DIR]` does by hand what runs do by themselves.
"""

import sys
from pathlib import Path

from prefect.blocks.core import Block
from pydantic import Field

from blocks.database import Ingested, StoreBroken, StoreLocked, ingest
from blocks.spool import spool_folder, store_file


class ResultsStore(Block):
    """The folder that holds runs, spools and the DuckDB file."""

    _block_type_name = "Consort Results Store"
    _block_type_slug = "consort-results-store"

    folder: str = Field(default="results", description="Output folder; relative to the working directory.")

    def ingest(self) -> Ingested:
        """Merge what the spools hold into the DuckDB file; raises StoreLocked, StoreBroken."""
        return ingest(Path(self.folder))


def main(arguments: list[str] | None = None) -> int:
    """`python -m blocks.store ingest`: merge by hand what waits in the spools."""
    import cyclopts

    app = cyclopts.App(name="python -m blocks.store", help="The results store.", result_action="return_value")

    @app.command(name="ingest")
    def _ingest(*, output: Path = Path("results")) -> int:
        """Merge what waits in the spools into the DuckDB file.

        Parameters
        ----------
        output
            The output folder of the runs.
        """
        if not spool_folder(output).is_dir():
            print(f"{output}: no runs here; name the runs' folder with --output", file=sys.stderr)
            return 2
        try:
            done = ingest(output)
        except StoreLocked as problem:
            print(f"{problem}; close it and try again (nothing is lost)", file=sys.stderr)
            return 1
        except StoreBroken as problem:
            print(problem, file=sys.stderr)
            return 1
        print(f"{store_file(output)}: {done.rows} rows from {done.files} spool files")
        return 0

    try:
        code: int = app(arguments, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    raise SystemExit(main())
