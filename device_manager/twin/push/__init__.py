"""Pushing to platforms that do not ask: a FROST server, an NGSI-LD broker. No real server was met yet; both are tested
against a strict double written from the standard.

    http       one exchange, and what can go wrong with it
    frost      SensorThings `CreateObservations`
    ngsi       NGSI-LD batch upsert
"""
