"""The text of `settings.toml`, with what every key means; `file.save` fills it in."""

TEMPLATE = """\
# citynode settings. Every key is explained here; a wrong key or value is named when the file is read.
version = {version}
# Name of the fleet, shown to people only.
name = {name}

[broker]
# mosquitto: certificates on both sides, access rules, messages survive a restart.
# iotcore: for a demo where mosquitto is not installed; checks nobody, so only host 127.0.0.1 is accepted.
kind = "{broker.kind}"
# Address that the broker listens on: 127.0.0.1 for this machine only, 0.0.0.0 for nodes in the field.
host = "{broker.host}"
port = {broker.port}
# Name in the broker's certificate, which every node checks. Nodes carry it: change it only with new nodes.
server_name = "{broker.server_name}"
# MQTT over WebSocket with TLS for consumers with a token (see `citynode twin token`), read only; 0: not served.
websocket_port = {broker.websocket_port}

[shards]
# Further brokers of this fleet, with certificates of the same CA: north = "broker-north.example.org:8883".
# Nodes are moved there with `citynode order shard`; each needs workers: `citynode ingest --shard north`.
{shards}
[store]
# Empty: SQLite, citynode.db in this directory. postgresql://USER@HOST/DATABASE: a server, for more than one machine.
url = {url}

[web]
# The dashboard, for people of the fleet. Port 0: it is not served.
host = "{web.host}"
port = {web.port}
# Where people reach it through a proxy that speaks TLS: https://sensors.example.org; empty: only as above.
address = {address}
# Map tiles, https://tile.example.org/{{z}}/{{x}}/{{y}}.png, and whom to name for them; empty: plain outlines.
tiles = {tiles}
tiles_credit = {tiles_credit}
# While there are no users (`citynode user add`) it is for this machine only, and read-only unless this is true.
writable = {writable}

[oidc]
# People of an OpenID Connect provider may sign in too; issuer empty: nobody. Its secret stands in oidc.secret beside
# this file (none for a public client), and its address of return is the address of [web] + /sign-in/back.
issuer = {oidc[issuer]}
client = {oidc[client]}
# What the button is called.
label = {oidc[label]}
# The claim with the name that a person gets here.
name = {oidc[name]}
# The claim with groups or roles (realm_access.roles is roles within realm_access), and which of them means what here;
# who has none of them gets no access.
claim = {oidc[claim]}
viewer = {oidc[viewer]}
technician = {oidc[technician]}
admin = {oidc[admin]}

[twin]
# The open interfaces: SensorThings API, exports, public page. Port 0: they are not served.
host = "{twin.host}"
port = {twin.port}

[public]
# What everybody may see without a token: aggregates of at least 15, 60 or 1440 minutes. 0: everything, which is for
# fleets of virtual nodes only.
grain_minutes = {public.grain_minutes}
# Counts of people below this are not shown.
smallest_count = {public.smallest_count}
# Requests a minute from one address without a token.
requests_per_minute = {public.requests_per_minute}
"""
