"""The compiled firmware does what its sources do, under shorter private names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from device_manager.adapters.firmware_build import compile_firmware
from device_manager.adapters.firmware_names import shorten
from device_manager.adapters.firmware_parameters import shorten_parameters
from tests.conftest import ROOT, find_micropython

VECTORS = ROOT / "tests" / "contract" / "vectors.json"
COUNT_NAMES = "import firmware.app, micropython; micropython.qstr_info()"


def test_private_names_of_one_module_become_short() -> None:
    text = (
        "class A:\n    def __init__(self):\n        self._count = 0\n\n    def _grow(self):\n        self._count += 1\n"
    )
    assert shorten({"a.py": text})["a.py"] == text.replace("_count", "_a").replace("_grow", "_b")


@pytest.mark.parametrize(
    "text",
    [
        'getattr(x, "_count")\n_count = 1\n',  # a string spells it
        'f"{_count}"\n_count = "1"\n',
        "import _thread\n",
        "call(_count=1)\n",  # a keyword of somebody else's function
        "__name__\n_ = 1\n",
        "LIMIT = 3\nlimit = 4\n",
    ],
)
def test_names_that_others_may_know_stay(text: str) -> None:
    assert shorten({"a.py": text})["a.py"] == text


def test_a_name_of_two_modules_stays_in_both() -> None:
    sources = {"a.py": "_shared = f()\n", "b.py": "import a\n\na._shared\n"}
    assert shorten(sources) == sources


def test_a_class_and_its_base_in_another_module_share_no_short_name() -> None:
    base = "class Base:\n    def __init__(self):\n        self._dipped = False\n"
    between = "from p.base import Base\n\n\nclass Between(Base):\n    pass\n"
    heir = "from p.between import Between\n\n\nclass Heir(Between):\n    def _measure(self):\n        return 1\n"
    made = shorten(
        {"p/base/__init__.py": base, "p/between.py": between, "p/heir.py": heir, "p/other.py": "_other = f()\n"}
    )
    assert "self._a = False" in made["p/base/__init__.py"] and "def _b(self)" in made["p/heir.py"]
    assert made["p/other.py"] == "_a = f()\n"


def test_short_names_never_meet_a_name_that_is_there() -> None:
    assert shorten({"a.py": "_counter = f()\n_a = g()\nh(_a)\n"})["a.py"] == "_c = f()\n_b = g()\nh(_b)\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("_LIMIT = 3 * 4  # why", "_a = const(3 * 4)  # why"),
        ("_LIMIT = -1", "_a = const(-1)"),
        ("_LIMIT = 1 << 30", "_a = 1 << 30"),  # no small integer on an ESP32
        ("_LIMIT = 1.5", "_a = 1.5"),
        ("_LIMIT = len(X)", "_a = len(X)"),
        ("_LIMIT = True", "_a = True"),
        ("_limit = 3", "_a = 3"),
    ],
)
def test_private_integers_become_constants(line: str, expected: str) -> None:
    assert shorten({"a.py": line + "\n"})["a.py"] == expected + "\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(size, at):\n    return size + at\n", "def f(_b, _a):\n    return _b + _a\n"),
        ("def f(size):\n    return [size for size in size]\n", "def f(_a):\n    return [_a for _a in _a]\n"),
        ("def f(size):\n    return lambda at: at + size\n", "def f(_b):\n    return lambda _a: _a + _b\n"),
        ("def f(size):\n    return size.size\n", "def f(_a):\n    return _a.size\n"),
        ("def f(size):\n    return _a + size\n", "def f(_b):\n    return _a + _b\n"),
        ("_a = 3\n\n\ndef f(size):\n    return size\n", "_a = 3\n\n\ndef f(_b):\n    return _b\n"),
        ("def f(größe):\n    return 'ä', größe\n", "def f(_a):\n    return 'ä', _a\n"),
    ],
)
def test_parameters_become_short_where_nobody_else_sees_them(text: str, expected: str) -> None:
    assert shorten_parameters({"a.py": text})["a.py"] == expected


@pytest.mark.parametrize(
    "text",
    [
        "def f(size):\n    return size\n\n\nf(size=3)\n",  # a call names it
        "def f(size=3):\n    return size\n",
        "def f(size: size):\n    return 1\n",
        "def f(size):\n    import size\n",
        "def f(size):\n    class A:\n        size = size\n",
        "def f(size):\n    try:\n        g()\n    except OSError as size:\n        pass\n",
        "def f(size):\n    @size\n    def g():\n        return 1\n",
        "def f(*size, **more):\n    return size, more\n",
    ],
)
def test_parameters_that_mean_something_else_too_stay(text: str) -> None:
    assert shorten_parameters({"a.py": text})["a.py"] == text


def test_lines_stay_where_they_are() -> None:
    sources = {str(path): path.read_text("utf-8") for path in (ROOT / "firmware").rglob("*.py")}
    for path, text in shorten_parameters(shorten(sources)).items():
        assert text.count("\n") == sources[path].count("\n"), path
        compile(text, path, "exec")


def test_compiled_contract_holds_the_golden_vectors(tmp_path: Path) -> None:
    root = compile_firmware(tmp_path)
    assert not list(root.rglob("*.py"))
    command = [find_micropython(), str(ROOT / "tests" / "contract" / "check_vectors.py"), str(VECTORS)]
    environment = {**os.environ, "MICROPYPATH": f"{root}:.frozen"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert done.stdout.startswith("checked "), done.stdout + done.stderr
    assert compile_firmware(tmp_path) == root, "the same sources are not compiled twice"


def test_names_of_a_whole_node_stay_below_the_next_table(tmp_path: Path) -> None:
    """MicroPython's table of names doubles at 1260: 14 kB of a PC's heap at once."""
    root = compile_firmware(tmp_path)
    environment = {**os.environ, "MICROPYPATH": f"{root}:{root}/firmware/virtual:.frozen"}
    command = [find_micropython(), "-X", "heapsize=4m", "-c", COUNT_NAMES]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
    names = int(done.stdout.split("n_qstr=")[1].split(",")[0])
    assert names < 1100, done.stdout
