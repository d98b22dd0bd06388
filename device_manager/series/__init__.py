"""Series: stored frames -> observations. Pure; frames come through a reader port, a codec decodes them.

    epochs         channels records: what the columns of a frame are
    deployments    which site a node's readings belong to, by interval
    observations   frames -> columns (numpy), thousands of frames at a time
    reading        pages of observations and latest values out of a store
    export         CSV, JSON lines, Parquet

Frames without a time (their node's clock was never set) are counted and left out until they can be dated.
"""

from device_manager.series.deployments import Deployments
from device_manager.series.epochs import Channel, Epoch, Epochs
from device_manager.series.observations import Observations, observations
from device_manager.series.reading import LastValue, Series

__all__ = ["Channel", "Deployments", "Epoch", "Epochs", "LastValue", "Observations", "Series", "observations"]
