"""Query -> entities, observations and pages. Pure but for what the reader reads.

values       what two values say to each other
expressions  a filter of one entity
columns      a filter and an order of many observations at once
bounds       what a filter says of time and number before anything is read
entities     entities of the catalogue: found, filtered, ordered
observing    pages of observations
many         pages of many Datastreams at once
budget       how much one request may read
answering    the whole answer, with everything that is expanded
"""
