"""Real measurements that tests and benchmarks read."""
