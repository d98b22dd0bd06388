"""Walks of people past a counter, made on the host and without any knowledge of how the counters work.

people   bodies as ellipsoids, and where they are at each moment: gait, speed, turn-backs, loitering
cases    the kinds of walks that a counter must survive, each with its truth
tof      what a two-zone time-of-flight sensor on the ceiling sees of them
radar    what an LD2450 sees of them; its noise is fitted to captured streams
"""
