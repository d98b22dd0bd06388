"""Composition of the manager's sessions at its brokers: one, or with `[shards]` one at each."""

from dataclasses import replace

from device_manager.adapters.broker_paho import STATES, BrokerAddress, BrokerTls, PahoBroker
from device_manager.adapters.broker_shards import ShardedBroker
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.identities.authority import MANAGER, root_shown
from device_manager.ports import Broker
from device_manager.settings import Settings


def address(settings: Settings) -> BrokerAddress:
    """Return how the manager reaches the broker of a data directory."""
    broker, authority = settings.broker, settings.identities
    if not broker.tls:
        return BrokerAddress(broker.connect_host, broker.port, MANAGER)
    tls = BrokerTls(root_shown(authority), authority / "manager.crt", authority / "manager.key", broker.server_name)
    return BrokerAddress(broker.connect_host, broker.port, MANAGER, tls)


def session(settings: Settings, *, brain: bool) -> Broker:
    """Return what the manager speaks and listens through; a brain hears states only, workers take the rest."""
    where = address(settings)
    if brain:
        where = replace(where, subscription=STATES)
    if not settings.shards:
        return PahoBroker(where)
    others = {shard.name: PahoBroker(replace(where, host=shard.host, port=shard.port)) for shard in settings.shards}
    return ShardedBroker({"": PahoBroker(where), **others}, Cbor2Codec())
