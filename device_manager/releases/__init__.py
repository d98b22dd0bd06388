"""Releases: built, signed, kept, and brought to nodes.

service    build, sign, offer, retire, compare
shelf    what is known of releases, the port behind which they are kept, what a check finds
tree       files as content-addressed objects
bundles    what leads from one tree to another; patch makes the differences
sbom       bills of materials
offering   the port by which a rollout says which node shall have which release
courier    brings standing offers to nodes, and serves what they ask for
"""
