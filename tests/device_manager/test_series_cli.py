"""The commands about series, in this process, on a small store with a day of two sites."""

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from device_manager import cli
from device_manager.settings import BrokerSettings, Settings, save
from tests.benchmarks.city_store import FIRST_S, make_store
from tests.conftest import ROOT

README = (ROOT / "device_manager" / "README.md").read_text("utf-8")
Run = Callable[..., "tuple[int, str, str]"]
DAY = ("--since", datetime.fromtimestamp(FIRST_S, UTC).isoformat(), "--until", "2026-03-02T00:00+01:00")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of two nodes at two sites."""
    path = tmp_path_factory.mktemp("store") / "citynode.db"
    make_store(path, 2, 1)
    return path


@pytest.fixture
def directory(stored: Path, tmp_path: Path) -> Path:
    settings = Settings(tmp_path / "data", "test", BrokerSettings("iotcore", "127.0.0.1", 18_883))
    settings.directory.mkdir()
    save(settings)
    settings.database.write_bytes(stored.read_bytes())
    return settings.directory


@pytest.fixture
def run(directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def called(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["citynode", *arguments])
        monkeypatch.setenv("CITYNODE_DATA", str(directory))
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return called


def test_show_lists_readings_and_rollups(run: Run) -> None:
    code, out, _ = run("data", "show", "site-0001", "pm2_5", "--grain", "raw", *DAY)
    assert (code, len(out.splitlines())) == (0, 1441)
    code, out, _ = run("data", "show", "site-0001", "pm2_5", "--grain", "1h", *DAY, "--json")
    rows = json.loads(out)
    assert (code, len(rows), rows[0]["coverage"]) == (0, 24, 1.0)
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    code, out, _ = run("data", "show", "site-0001", "pm2_5", "--grain", "1d", *DAY, "--json")
    assert [row["start"] for row in json.loads(out)] == ["2026-02-28T23:00:00Z"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("site-0009", "pm2_5"), "expected a known site, got 'site-0009'"),
        (("site-0001", "pm7"), "expected a known quantity, got 'pm7'"),
        (("site-0001", "co2"), "expected values of co2 at site-0001 (corrected), got none in that time"),
        (
            ("site-0001", "pm2_5", "--grain", "2h"),
            "expected raw or corrected or 15min or 1h or 1d or noise_day, got '2h'",
        ),
        (("site-0001", "pm2_5", "--until", "30d"), "expected an end after the begin, got 24h to 30d"),
    ],
)
def test_selection_of_nothing_is_one_line(run: Run, arguments: tuple[str, ...], line: str) -> None:
    code, out, err = run("data", "show", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"citynode: {line}")


def test_plot_draws_in_the_terminal_and_into_files(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("data", "plot", "site-0001", "laeq", "--grain", "15min", *DAY)
    assert code == 0
    assert "laeq at Site 1 (15min)" in out
    assert run("data", "plot", "site-0001", "laeq", *DAY, "-o", str(tmp_path / "x.svg"))[0] == 0
    assert "<svg" in (tmp_path / "x.svg").read_text("utf-8")


def test_invalidation_is_seen_by_every_command_and_can_be_taken_back(run: Run) -> None:
    window = ("--since", "2026-03-01T06:00Z", "--until", "2026-03-01T07:00Z")
    code, out, _ = run("data", "invalidate", "site-0001", *window, "--reason", "scaffold", "--quantity", "pm2_5")
    assert (code, out) == (0, "invalidation 1 holds\n")
    for grain in ("raw", "corrected"):
        out = run("data", "show", "site-0001", "pm2_5", "--grain", grain, *DAY, "--json")[1]
        assert sum(row["quality"] == "invalidated" for row in json.loads(out)) == 60
    assert len(json.loads(run("data", "show", "site-0001", "pm2_5", "--grain", "1h", *DAY, "--json")[1])) == 23
    exported = run("data", "export", "--site", "site-0001", "--quantity", "pm2_5", *window, "--format", "jsonl")[1]
    assert {json.loads(line)["quality"] for line in exported.splitlines()} == {"invalidated"}
    (held,) = json.loads(run("data", "invalidations", "--json")[1])
    assert (held["where"], held["what"], held["withdrawn"]) == ("site-0001", "scaffold", None)
    assert run("data", "revalidate", "1")[0] == 0
    assert len(json.loads(run("data", "show", "site-0001", "pm2_5", "--grain", "1h", *DAY, "--json")[1])) == 24
    assert run("data", "revalidate", "1")[0] == 2


def test_calibration_from_a_colocation_corrects_from_then_on(run: Run, tmp_path: Path) -> None:
    rows = json.loads(run("data", "show", "site-0001", "pm2_5", "--grain", "15min", *DAY, "--json")[1])
    reference = tmp_path / "reference.csv"
    lines = [f"{row['start']},{2 * row['value'] + 1}" for row in rows]
    reference.write_text("\n".join(["time,value", *lines]), "utf-8")
    arguments = ("--reference-file", str(reference), "--average-min", "15", "--plot", str(tmp_path / "fit.png"))
    code, out, _ = run("calibration", "fit", "site-0001", "pm2_5", *DAY, *arguments, "--save", "--json")
    report = json.loads(out)
    assert (code, report["n"], report["calibration"]) == (0, 96, 1)
    assert (report["gain"], report["offset"], report["r2"]) == pytest.approx((2, 1, 1))
    assert (tmp_path / "fit.png").exists()
    raw, corrected = (
        json.loads(run("data", "show", "site-0001", "pm2_5", "--grain", grain, *DAY, "--json")[1])
        for grain in ("raw", "corrected")
    )
    assert [row["value"] for row in corrected] == pytest.approx([2 * row["value"] + 1 for row in raw])
    assert {row["calibration"] for row in corrected} == {1}
    assert {row["number"] for row in corrected} & {row["number"] for row in raw} == set()
    assert json.loads(run("calibration", "show", "1", "--json")[1])["model"] == "line"
    assert run("calibration", "withdraw", "1")[0] == 0
    assert json.loads(run("calibration", "list", "--json")[1])[0]["withdrawn"] is not None


def test_calibration_is_added_by_hand_for_a_sensor(run: Run) -> None:
    target = ("--node", "kempten-0001", "--sensor", "air")
    assert run("calibration", "add", "pm2_5", "--since", "2026-03-01T00:00Z", *target, "--offset", "3")[:2] == (
        0,
        "calibration 1 holds\n",
    )
    (held,) = json.loads(run("calibration", "list", "--json")[1])
    assert (held["where"], held["what"]) == ("kempten-0001/air", "3 + 1 x")
    code, _, err = run("calibration", "add", "pm2_5", "--since", "2026-03-01T00:00Z", "--site", "site-0001", *target)
    assert (code, err.startswith("citynode: expected either a site, or a node and its sensor")) == (2, True)


@pytest.mark.parametrize("grain", ["corrected", "15min", "1d"])
def test_export_writes_every_grain_as_parquet(run: Run, tmp_path: Path, grain: str) -> None:
    path = tmp_path / "out.parquet"
    code, _, err = run("data", "export", "--quantity", "laeq", "--grain", grain, *DAY, "-o", str(path))
    assert code == 0
    table = pq.read_table(path)
    rows = {"corrected": 2880, "15min": 2 * 96, "1d": 2}[grain]
    assert (table.num_rows, err.startswith(f"wrote {rows} ")) == (rows, True)
    assert set(table["site"].to_pylist()) == {"site-0001", "site-0002"}


def test_rebuild_says_what_it_changed(run: Run) -> None:
    first, second = (json.loads(run("store", "rebuild", "--processes", "1", "--json")[1]) for _ in range(2))
    assert (first["nodes"], second["numbers"], second["chunks"]) == (2, 0, 0)
    assert first["numbers"] > 2 * 15 * 1440


COMMANDS = ["data show", "data plot", "data invalidate", "data invalidations", "data revalidate", "calibration list",
            "calibration show", "calibration add", "calibration fit", "calibration withdraw",
            "store rebuild"]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((300, 40)))
    code, out, _ = run(*command.split(), "--help")
    options = re.split(r"\n(?=  -)", out.partition("\nOptions:")[2])[1:]
    assert (code, bool(options)) == (0, True)
    assert [option for option in options if not re.match(r"  -\S.*?\s\s+[A-Z]", option, re.DOTALL)] == []
    assert f"`citynode {command}`" in README or f"`{command.split()[1]}`" in README or f"`{command}`" in README
