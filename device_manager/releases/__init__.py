"""Releases: built, signed, kept, and brought to nodes.

offering   the port by which a rollout says which node shall have which release
"""
