"""The hardware catalogue as data: what can be measured, and later boards, sensors and node designs."""
