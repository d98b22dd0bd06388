"""The broker for a demo on a machine without mosquitto: iotcore from PyPI (rumqttd), on 127.0.0.1 and nowhere else.

It takes any client for whoever it says it is: rumqttd in iotcore does not check client certificates, though a CA can
be configured, and it has no access rules. So this adapter opens plain MQTT 5 on the loopback address and refuses any
other. Messages are kept in memory only; the nodes' outboxes bring back what a restart loses.
"""

import socket
import sys
import time

from device_manager.adapters.broker_process import BrokerProcess
from device_manager.adapters.mosquitto_config import MAX_PACKET_BYTES
from device_manager.errors import BrokerError, SetupError
from device_manager.identities.files import write_private

ONLY_HOST = "127.0.0.1"

# rumqttd has one port for each protocol version; nodes and manager speak version 5.
_CONFIGURATION = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 1000
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "nodes"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = {max_packet_bytes}
max_inflight_count = 1000
dynamic_filters = true
"""


class Iotcore(BrokerProcess):
    """One iotcore process for one data directory; a Supervisor calls prepare, start, wait_ready, alive, stop."""

    name = "iotcore"
    ending = "toml"

    def prepare(self) -> str | None:
        """Check host and port and write the configuration; raises SetupError for any host but 127.0.0.1."""
        broker = self.settings.broker
        if broker.host != ONLY_HOST:
            todo = f"install mosquitto for nodes in the field, or set broker.host back in {self.settings.file}"
            raise SetupError(expected=f"host {ONLY_HOST} for the demo broker iotcore", got=broker.host, todo=todo)
        note = self.take_over()
        text = _CONFIGURATION.format(host=broker.host, port=broker.port, max_packet_bytes=MAX_PACKET_BYTES)
        write_private(self.directory / self.configuration_name, text.encode())
        return note

    def start(self) -> None:
        """Start the process; `prepare` came before."""
        # rumqttd logs every packet as an error span, so only silence is usable.
        arguments = ["--config", self.configuration_name, "--log-level", "CRITICAL"]
        self.launch([sys.executable, "-P", "-m", "iotcore", *arguments])

    def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Wait until the port takes connections; raises BrokerError when the process ends or stays silent."""
        broker = self.settings.broker
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                socket.create_connection((broker.host, broker.port), timeout=2.0).close()
                return
            except OSError as error:
                problem = str(error)
            if not self.alive() or time.monotonic() > deadline_s:
                got = problem if self.alive() else self.last_words()
                raise BrokerError(expected="iotcore to start", got=got, todo=f"read {self.log}")
            time.sleep(0.05)
