"""The outer edge: brokers, virtual nodes, the MQTT client, the SQL store. What touches the world lives here."""
