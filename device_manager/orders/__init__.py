"""Signed orders to nodes: written by commands and by the running manager, carried by the manager until answered.

spool     one file for each order; what is secret in it is gone when it is answered or has expired
service   makes orders: renew a certificate, change Wi-Fi or brokers, roll anchors over, decommission
courier   carries them through the session, and notes the answers
"""

from device_manager.orders.courier import Courier
from device_manager.orders.service import Orders
from device_manager.orders.spool import Order, Spool

__all__ = ["Courier", "Order", "Orders", "Spool"]
