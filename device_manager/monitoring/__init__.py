"""Monitoring: is the fleet well, and if not, who goes where with what. Pure but for its ports.

facts        figures of manager, nodes, sensors and channels
rules        limits as data: rules.toml, changed by a fleet's alerts.toml
condition    one rule at one subject over time, a table
grouping     what has one cause is one alert
alert        what somebody is told, from its beginning to its end
silence      for whom nobody is told
monitor      the look at all of it, every few seconds
service      what people ask: list, acknowledge, silence, health over time
health       health over time in small blocks
delivery     who is told by which way, and in which words
scores       how good a channel's readings are, and why
life         when a sensor's hours are used up
"""

from device_manager.monitoring.alert import Alert, Notice
from device_manager.monitoring.service import Alerts
from device_manager.monitoring.silence import Silence

__all__ = ["Alert", "Alerts", "Notice", "Silence"]
