"""The link: from a node's outbox to the manager, over Wi-Fi, TLS and MQTT 5.

link = Link(config, outbox, clock, wifi, boot, firmware, on_message, random_u32)
asyncio.create_task(link.run())

runner     the asyncio shell that obeys the three pure parts
session    the ladder from rest to sending, as a table
delivery   which record to send next, and when to send it again
sender     what goes out: the state, messages and records
packets    MQTT 5 packets; receiver cuts the stream into them
client     one MQTT connection; flight holds what is unanswered, transport is its socket, trust its TLS context
"""

from firmware.link.runner import Link

__all__ = ("Link",)
