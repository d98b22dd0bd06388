"""Programs that tests run, watch and kill."""
