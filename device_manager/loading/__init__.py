"""Load for a broker and an ingest: many simulated nodes in one process, at the level of the protocol.

swarm      which node has which frame to send now, pure
trace      readings -> frames as nodes encode them, pure
"""
