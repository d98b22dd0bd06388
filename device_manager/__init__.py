"""The manager: what runs on a host, from the broker's configuration to what people and the digital twin read."""
