"""References for the sound level meter, all on the host: standard, filter design, plain computation, bounds."""
