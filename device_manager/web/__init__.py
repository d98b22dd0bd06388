"""HTTP, thin: parse a request, ask one service, answer. One file a router.

open       the open interfaces, for people and programs outside: a process of its own
open_sta   its SensorThings API
open_desks answering several requests at the same time
"""
