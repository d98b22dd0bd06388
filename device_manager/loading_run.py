"""Opens what `citynode load` needs: the register, the broker, the trace."""

import time
from pathlib import Path

from device_manager.adapters.broker_paho import BrokerAddress, PahoBroker
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.app import ended_by_signals
from device_manager.errors import SetupError
from device_manager.fleet import local, open_fleet
from device_manager.load import WATERMARKS, Loader, Report, name
from device_manager.loading.swarm import Habits, Swarm
from device_manager.loading.trace import Trace, read
from device_manager.registry.changes import AddNode
from device_manager.settings import Settings

CLIENT = "citynode.load"


def load(settings: Settings, trace: Path, nodes: int, seconds: float, habits: Habits) -> Report:
    """Register what is missing and load; SetupError for a broker that checks who speaks."""
    if settings.broker.tls:
        todo = "make a data directory for it with `citynode init --broker iotcore`"
        raise SetupError(expected="a broker that checks nobody", got=settings.broker.kind, todo=todo)
    quantities, values = read(trace)
    now_s = int(time.time())
    with open_fleet(settings) as fleet:
        known = {view.name for view in fleet.registry.nodes()}
        fresh = [AddNode(name(n), "accepted", now_s * 1000) for n in range(nodes) if name(n) not in known]
        if fresh:
            fleet.registry.apply(fresh, scope=local())
    where = BrokerAddress(settings.broker.connect_host, settings.broker.port, CLIENT, subscription=WATERMARKS)
    begin_s = now_s - now_s % 60 - int(seconds) - int(habits.frame_s)
    loader = Loader(PahoBroker(where), Cbor2Codec(), Swarm(nodes, habits), Trace(values), quantities)
    with ended_by_signals() as ended:
        return loader.run(seconds, begin_s, int(habits.frame_s), ended.is_set)
