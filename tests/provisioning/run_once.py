"""`python -m tests.provisioning.run_once DATA PORT STEP`: provision a board, dying by SIGKILL at STEP."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from device_manager import settings
from provisioning import runner
from tests.provisioning.bench import order, workshop


def main(data: str, port: str, fatal: str) -> None:
    """Run until the step `fatal` has begun."""

    def report(step: str, _: str) -> None:
        if step == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    with workshop(settings.load(Path(data))) as shop:
        runner.provision(port, order(), shop, report)


if __name__ == "__main__":
    main(*sys.argv[1:])
