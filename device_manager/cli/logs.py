"""How the manager's log is written: lines for people, or JSON lines for a log store."""

import json
import logging
import time

WAYS = ("text", "json")


class JsonLines(logging.Formatter):
    """One JSON object a line: time (ISO 8601 UTC), level, logger, message, and the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = {
            "time": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def configure(way: str) -> None:
    """Write the log of this process to stderr, `way` is one of WAYS."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonLines() if way == "json" else plain)
    logging.basicConfig(handlers=[handler], level=logging.INFO)
