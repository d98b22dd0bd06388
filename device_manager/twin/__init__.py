"""The twin's side: what the city's digital twin reads, as OGC SensorThings API 1.1 (18-088), read only. Pure.

    model        kinds of entities, their fields and relations
    vocabulary   quantities, units and aggregates in the words of standards
    catalogue    register + what was measured -> Things, Locations, Datastreams, Sensors ..., linked
    query/       the text of a request -> a checked Query (grammar by lark)
    reading      observations of Datastreams by time, and of all by number, out of `series`
    evaluation/  Query -> entities, observations, pages
    writing/     JSON, dataArray, CSV, GeoJSON
    knowing      catalogue and newest observations, kept up to date, shared by all who answer
    service      path and options -> answer

Thing = site, Datastream = site + quantity + aggregate, observation id = observation number of `series`.
"""
