"""`citynode serve`: run the manager."""

from device_manager.cli.output import Data


def serve(data: Data = None) -> None:
    """Run the manager until Ctrl-C or SIGTERM.

    It supervises the broker, takes in readings and tells nodes what is safe.
    """
    import logging

    from device_manager import app, settings

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    app.serve(settings.load(data or settings.default_directory()))
