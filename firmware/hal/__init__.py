"""The only place that may import machine, network and esp32; everything above gets objects from here."""
