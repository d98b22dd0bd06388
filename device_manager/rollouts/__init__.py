"""Rollouts: groups of nodes moved to a release, stage by stage, and stopped by nodes that fail or by their data.

`model` says what a rollout is, `states` which changes of state there are, `planner` what is to be done next (pure),
`gate` what the measurements say (pure), `service` keeps rollouts and carries plans out.
"""
