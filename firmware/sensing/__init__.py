"""Reading 1 of 3: from sensors to closed batches of records. Imports `firmware.wire` only; buses and clock come in.

drivers/   one file a sensor: bytes on a bus or pin -> scaled integers and quality flags, once a second
sensor     a driver that may fail: flags, counts, retries with back-off
footfall/  counters of people: pure    sound/  the sound level meter: pure, but for its kernels in viper
noise      levels of a record from the levels of its seconds
record     what a record makes of its seconds, by the kind of each quantity
sampler    the task: seconds -> records on the clock -> batches
"""
