"""A small random fleet on real stores: sites, nodes that move, late and undated frames, calibrations, invalidations."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.series import flags as bits
from device_manager.series.calibration import Calibration, Target
from device_manager.series.decisions import document_of
from device_manager.series.feed import Feed
from device_manager.series.flags import names
from device_manager.series.invalidation import Invalidation
from device_manager.twin.service import Twin
from tests.fakes.derived import Derived
from tests.fakes.naive_twin import PLURALS, Entities, Naive, Related, iso
from tests.fakes.speaker import CHANNELS, START_S, Speaker

NODES = 3
BASE = "http://city.example/v1.1"
NOW_S = START_S + 10 * 86_400
COLLECTIONS = ("Things", "Locations", "Datastreams", "Sensors", "ObservedProperties", "FeaturesOfInterest")


class RandomFleet:
    """Random by its seed; `speak` says more, `tell` lets the manager take it in."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.derived = Derived(directory)
        columns = "id, name, title, latitude, longitude, height_m, district"
        other = f"INSERT INTO site ({columns}) VALUES (5, 'hofgarten', 'Hofgarten', 47.73, 10.31, 4, 'Nord')"
        self.derived.bench.write(other)
        for node in range(2, NODES + 1):
            self.derived.bench.register(f"kempten-{node:02}")
            site = 4 + node % 2
            self.derived.bench.write(f"INSERT INTO deployment VALUES ({node}, {node}, {site}, {START_S - 100}, NULL)")
        move_s = START_S + self.random.randrange(3600, 20_000)
        self.derived.bench.write("UPDATE deployment SET until_s = ? WHERE id = 1", (move_s,))
        self.derived.bench.write(f"INSERT INTO deployment VALUES (90, 1, 5, {move_s + 600}, NULL)")
        self.speakers = [Speaker(f"kempten-{n:02}", log=10 + n, seed=seed + n) for n in range(1, NODES + 1)]
        self.spoken = [0] * NODES

    def fill(self) -> None:
        """Say and take in some of everything."""
        for round_number in range(4):
            for node, speaker in enumerate(self.speakers):
                self._say(node, speaker, round_number)
            self.derived.keeper.advance()
            if round_number == 1:
                self._decide()

    def _say(self, node: int, speaker: Speaker, round_number: int) -> None:
        messages = [] if round_number % 2 else [speaker.channels(CHANNELS, firmware=f"1.{round_number}")]
        frames = []
        for _ in range(self.random.randrange(2, 5)):
            start_s = START_S + self.spoken[node] * 60
            count = self.random.randrange(1, 12)
            self.spoken[node] += count + self.random.choice([0, 0, 0, 30, 120])
            frames.append(
                speaker.frame([self._row() for _ in range(count)], start_s, self.random.choice([0, 0, 1, 32]))
            )
        self.random.shuffle(frames)  # late ones come after younger ones
        self.derived.bench.committer.commit([*messages, *frames])

    def _row(self) -> list[int | None]:
        missing = self.random.random() < 0.1
        return [None if missing else self.random.randrange(0, 400), self.random.randrange(-50, 300),
                self.random.randrange(50)]  # fmt: skip

    def _decide(self) -> None:
        since_s = START_S + self.random.randrange(3000)
        correction = Calibration(0, Target("pm2_5", site_id=4), since_s, None, offset=1.5, gain=0.8)
        self.derived.decide("calibrate", document_of(correction))
        said = Invalidation(0, 5, None, "temperature", since_s, since_s + 1800, "paint")
        self.derived.decide("invalidate", document_of(said))
        self.derived.keeper.advance()
        if self.random.random() < 0.5:
            self.derived.decide("withdraw", json.dumps({"id": 1}))

    def naive(self, twin: Twin) -> Naive:
        """Return everything in memory: entities as the API lists them, observations as the feed of numbers has them."""
        entities: Entities = {name: _all(twin, name) for name in COLLECTIONS}
        related: Related = {}
        for collection, found in entities.items():
            for entity in found:
                for name, link in entity.items():
                    goal = PLURALS.get(name.partition("@")[0], name.partition("@")[0])
                    if name.endswith("@iot.navigationLink") and goal in COLLECTIONS:
                        ids = [e["@iot.id"] for e in _all(twin, link.removeprefix(BASE + "/"))]
                        related[collection, entity["@iot.id"], goal] = ids
        entities["Observations"] = self._observations(entities, related)
        return Naive(entities, related)

    def _observations(self, entities: Entities, related: Related) -> list[dict[str, Any]]:
        streams = {}
        for d in entities["Datastreams"]:
            (thing,) = related["Datastreams", d["@iot.id"], "Things"]
            streams[thing, d["properties"]["quantity"], d["properties"]["aggregate"]] = d["@iot.id"]
        things = [thing["@iot.id"] for thing in entities["Things"]]
        features = {thing: related["Things", thing, "Locations"][0] for thing in things}
        feed, found = Feed(self.derived.frames, self.derived.series, Cbor2Codec().loads), []
        for page in feed.pages(0):
            epochs = [*feed.lineage(page), None]
            for i in range(len(page)):
                channel, epoch = page.channels[page.channel[i]], epochs[page.epoch[i]]
                aggregate = page.period or ("corrected" if page.corrected[i] else "raw")
                stream = streams.get((int(page.site_id[i]), channel.quantity, aggregate))
                if stream is None:
                    continue
                number, start_s, end_s, flags = (int(c[i]) for c in (page.number, page.start_s, page.end_s, page.flags))
                if aggregate == "raw":
                    flags &= ~bits.CALIBRATED
                value = float(page.value[i])
                related["Observations", number, "Datastreams"] = [stream]
                related["Observations", number, "FeaturesOfInterest"] = [features[int(page.site_id[i])]]
                url = f"{BASE}/Observations({number})"
                found.append({
                    "@iot.id": number,
                    "@iot.selfLink": url,
                    "phenomenonTime": f"{iso(start_s)}/{iso(end_s)}",
                    "resultTime": iso(end_s),
                    "result": None if value != value else value,
                    "resultQuality": {"usable": flags & bits.UNUSABLE == 0, "flags": names(flags)},
                    "parameters": {
                        "q": flags,
                        "node": f"kempten-{int(page.node_id[i]):02}",
                        "sensor": channel.sensor,
                        "firmware": epoch.firmware if epoch else None,
                        "configuration": epoch.configuration if epoch else None,
                        "soundCalibration": epoch.calibration if epoch else None,
                        "calibration": int(page.calibration[i]) or None,
                        "replaces": int(page.replaces[i]) or None,
                    },
                    "Datastream@iot.navigationLink": url + "/Datastream",
                    "FeatureOfInterest@iot.navigationLink": url + "/FeatureOfInterest",
                })  # fmt: skip
        return found

    def close(self) -> None:
        """Close everything."""
        self.derived.close()


def _all(twin: Twin, path: str) -> list[dict[str, Any]]:
    body = json.loads(twin.answer(path, [("$top", "10000")], BASE, NOW_S).body)
    found: list[dict[str, Any]] = body.get("value", [body])
    return found
