"""`citynode ingest`: workers that take readings in beside a brain."""

from typing import Annotated

import typer

from device_manager.cli.output import Data


def ingest(
    workers: Annotated[int, typer.Option(min=1, max=16, help="How many processes.")] = 2,
    first: Annotated[int, typer.Option(min=1, max=16, help="Number of the first one, other on each host.")] = 1,
    shard: Annotated[str, typer.Option(help="Name of the broker in [shards]; empty: the one of [broker].")] = "",
    data: Data = None,
) -> None:
    """Run ingest workers until Ctrl-C or SIGTERM.

    They share one subscription and keep what comes in PostgreSQL; `citynode serve --brain` numbers and answers it.
    """
    import logging

    from device_manager import ingest_worker, settings

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    ingest_worker.run_workers(settings.load(data or settings.default_directory()), first, workers, shard)
