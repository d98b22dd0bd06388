"""The outer edge: brokers, virtual nodes, the MQTT client, the SQL store. Everything that touches the world lives here."""
