"""Composition root of the manager: this file and `fleet.py` know every part, nobody else does.

initialise   make a data directory
Manager      broker, ingest and watermarks, from start to stop
serve        run one until it is told to end
simulate     run virtual nodes against it
"""

import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from device_manager import children
from device_manager import settings as settings_file
from device_manager.adapters import broker_check, mosquitto
from device_manager.adapters.broker_check import Finding
from device_manager.adapters.broker_process import port_problem
from device_manager.adapters.broker_supervisor import Supervisor
from device_manager.adapters.clock import SystemClock
from device_manager.adapters.codec_cbor2 import Cbor2Codec
from device_manager.adapters.firmware_build import compile_firmware
from device_manager.adapters.iotcore_broker import Iotcore
from device_manager.adapters.mosquitto import Mosquitto
from device_manager.adapters.store_engine import create_database, open_store
from device_manager.adapters.store_frames import SqlFrames
from device_manager.adapters.store_rebuild import Rebuilt, rebuild
from device_manager.adapters.store_series import SqlSeries
from device_manager.adapters.virtual_node import VirtualNodes, find_micropython
from device_manager.database import Database
from device_manager.errors import SetupError, UsageError
from device_manager.fleet import open_fleet
from device_manager.identities import Authority
from device_manager.identities.files import make_private_directory
from device_manager.ingest.commit import Committer
from device_manager.ingest.service import IngestService
from device_manager.keeping_up import KeepingUp
from device_manager.only_one import only_one
from device_manager.registry import Scope
from device_manager.registry.service import DECOMMISSIONED, REJECTED
from device_manager.rolling_out import RollingOut
from device_manager.rolling_over import order_due
from device_manager.scopes import ADMIN
from device_manager.series.keeping import Keeper
from device_manager.sessions import session
from device_manager.settings import NO_WEB, OFF, BrokerSettings, Listening, Settings, WebSettings
from device_manager.shadow import JsonFold
from device_manager.updates import Updates
from device_manager.upkeep import Upkeep
from device_manager.watching import Watching

log = logging.getLogger("citynode")
PORTS_TRIED = 100
BROKER, BRAIN, WEB = PARTS = ("broker", "brain", "web")


def initialise(
    directory: Path,
    *,
    name: str,
    host: str,
    port: int | None,
    broker: str | None,
    database: str = "",
    twin: Listening = OFF,
    web: WebSettings = NO_WEB,
) -> Settings:
    """Make a data directory: identities, database, broker directory, and last `settings.toml`, which makes it one.

    `port` None takes the first free one from 8883 on; `broker` None takes mosquitto where installed, else iotcore;
    `twin` is where the open interfaces listen, `web` where the dashboard does; `database` is the URL of a PostgreSQL
    database, else SQLite is used.
    """
    directory = directory.absolute()
    if (directory / settings_file.FILE_NAME).exists():
        todo = "use it as it is, or choose another directory with --data"
        raise UsageError(expected="a new data directory", got=f"an initialised one in {directory}", todo=todo)
    if directory.exists() and any(directory.iterdir()):
        todo = "choose another one with --data, or empty it"
        raise UsageError(expected="a new or empty directory", got=f"files in {directory}", todo=todo)
    kind = broker or ("mosquitto" if mosquitto.find() else "iotcore")
    chosen = BrokerSettings(kind, host, port or free_port(host))
    made = Settings(directory, name, chosen, web, twin, store_url=database)
    settings_file.check(chosen, made.file)
    store = made.database  # SetupError for a URL that is none
    fresh = not directory.exists()
    make_private_directory(directory)
    try:
        _fill(made, store)
    except BaseException:  # half a data directory would look like one and be none
        _empty(directory, remove=fresh)
        raise
    return made


def free_port(host: str) -> int:
    """Return the first port from 8883 on which nobody listens on `host`."""
    for port in range(settings_file.FIRST_PORT, settings_file.FIRST_PORT + PORTS_TRIED):
        if port_problem(host, port) is None:
            return port
    problem = str(port_problem(host, settings_file.FIRST_PORT))
    todo = "name an address of this machine with --host, or a port with --port"
    raise SetupError(expected=f"a free port on {host} from {settings_file.FIRST_PORT}", got=problem, todo=todo)


class Manager:
    """The running manager of one data directory. As a context manager it is started and stopped."""

    def __init__(self, settings: Settings, *, brain: bool = False, parts: Collection[str] = PARTS) -> None:
        """With `brain`, workers take readings in, and this process numbers and answers them.

        `parts` are those of PARTS that run here; the others run in other processes, on the same settings.
        """
        self.settings = settings
        self._brain = brain
        self._here = parts
        self.broker: Mosquitto | Iotcore = (Mosquitto if settings.broker.kind == "mosquitto" else Iotcore)(settings)
        self._was_away: Callable[[], bool] = lambda: port_problem(settings.broker.host, settings.broker.port) is None
        self._parts = ExitStack()

    def start(self) -> None:
        """Start everything in order; when a part fails, what was started is stopped and the part's error raised."""
        with ExitStack() as parts:
            here = [part for part in PARTS if part in self._here]
            for part in here:
                parts.enter_context(only_one(self.settings.lock_of(part)))
            starts = {BROKER: self._start_broker, BRAIN: self._start_brain, WEB: self._start_web}
            for part in here:
                starts[part](parts)
            self._parts = parts.pop_all()

    def stop(self) -> None:
        """Stop everything in the opposite order. Safe to call twice."""
        self._parts.close()

    def _start_broker(self, parts: ExitStack) -> None:
        for name in Authority.open(self.settings.identities).renew(self.settings.broker.names, time.time()):
            log.info("renewed the certificate of the %s", name)
        supervisor = Supervisor(self.broker)
        parts.callback(supervisor.stop)
        supervisor.start()
        self._was_away = supervisor.was_away
        if isinstance(self.broker, Mosquitto):
            for finding in self.broker.self_test():
                log.info("broker check: %s", finding)
        else:
            log.warning("mosquitto is not used: iotcore checks nobody, so it listens on 127.0.0.1 only (a demo)")

    def _start_brain(self, parts: ExitStack) -> None:
        self._start_ingest(parts)
        self._start_series(parts)
        watching = Watching(self.settings, self._session, self._was_away, lambda: self.ingest.waiting)
        watching.start()
        parts.callback(watching.stop)

    def _start_web(self, parts: ExitStack) -> None:
        children.start(self.settings, parts)

    def _start_ingest(self, parts: ExitStack) -> None:
        store = open_store(self.settings.database)
        parts.callback(store.close)
        self._session = broker = session(self.settings, brain=self._brain)
        if self._brain:
            from device_manager.ingest_worker import arriving

            broker = arriving(self.settings, self._session)
        committer = Committer(store, Cbor2Codec(), JsonFold())
        self.ingest = IngestService(broker, committer, SystemClock())
        updates = Updates(self.settings, broker)
        self.ingest.on_wish = updates.wish
        self.ingest.start()
        parts.callback(self.ingest.stop)
        updates.start()
        parts.callback(updates.stop)
        rolling_out = RollingOut(self.settings)
        rolling_out.start()
        parts.callback(rolling_out.stop)
        if isinstance(self.broker, Mosquitto):
            upkeep = Upkeep(self.settings, self._session, self.broker, order_due)
            upkeep.start()
            parts.callback(upkeep.stop)

    def _start_series(self, parts: ExitStack) -> None:
        series = SqlSeries(self.settings.database)
        parts.callback(series.close)
        frames = SqlFrames(self.settings.database, series)
        parts.callback(frames.close)
        keeping_up = KeepingUp(Keeper(frames, series, Cbor2Codec().loads))
        keeping_up.start()
        parts.callback(keeping_up.stop)

    def __enter__(self) -> "Manager":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def check_broker(settings: Settings) -> list[Finding]:
    """Try whom the running broker lets in; SetupError for one that checks nobody."""
    if not settings.broker.tls:
        got = f"{settings.broker.kind}, which checks nobody and listens on 127.0.0.1 only"
        raise SetupError(expected="mosquitto", got=got, todo="use mosquitto for nodes in the field")
    return broker_check.check(settings, time.time())


def revoke(settings: Settings, node: str, *, scope: Scope) -> str:
    """Revoke all certificates of a node and have the running broker refuse it; return what was done."""
    scope.require(ADMIN, f"revoke {node}")
    authority = Authority.open(settings.identities)
    count = authority.revoke(node, time.time())
    log.info("%s revoked %d certificates of %s", scope.actor, count, node)
    with open_fleet(settings) as fleet:
        fleet.audit.record(scope, "ca.revoke", node, after={"certificates": count})
        if any(view.name == node and view.admission != DECOMMISSIONED for view in fleet.registry.nodes()):
            fleet.registry.admit(node, REJECTED, scope=scope)
    done = f"revoked {count} certificate{'s' if count > 1 else ''} of {node}"
    if settings.broker.tls and Mosquitto(settings).enforce(authority, node):
        return f"{done}; the broker refuses it from now on, and its connection was ended"
    return f"{done}; no broker runs, the next start uses the new list"


def add_account(settings: Settings, role: str, name: str, *, scope: Scope) -> tuple[Path, Path]:
    """Give an account an identity, and tell the running broker its rules; return certificate and key."""
    scope.require(ADMIN, f"add the account {name}")
    files = Authority.open(settings.identities).add_account(role, name, time.time())
    with open_fleet(settings) as fleet:
        fleet.audit.record(scope, "ca.account", name, after={"role": role})
    if settings.broker.tls and (program := mosquitto.find()):
        Mosquitto(settings, program).refresh()
    return files


def simulate(
    settings: Settings,
    names: list[str],
    count: int | None,
    seconds: float | None,
    micropython: Path | None,
    say: Callable[[str], None],
) -> None:
    """Run virtual nodes, named or the first `count` of all, for `seconds` or until SIGINT or SIGTERM."""
    found, firmware = find_micropython(micropython), compile_firmware(settings.firmware_directory)
    with open_fleet(settings) as fleet:
        directories = fleet.virtual_directories(names, count)
    if port_problem(settings.broker.host, settings.broker.port) is None:
        say(f"nothing listens on port {settings.broker.port}: the nodes keep their records until `citynode serve` runs")
    deadline_s = None if seconds is None else time.monotonic() + seconds
    with ended_by_signals() as ended, VirtualNodes(directories, found, firmware) as nodes:
        say(f"{len(directories)} virtual nodes run; Ctrl-C ends them")
        while not ended.wait(0.2) and (deadline_s is None or time.monotonic() < deadline_s):
            nodes.tend()


def serve(settings: Settings, *, brain: bool = False, parts: Collection[str] = PARTS) -> None:
    """Run the manager, or some of its parts, until SIGINT or SIGTERM; see `Manager`."""
    with ended_by_signals() as ended, Manager(settings, brain=brain, parts=parts):
        broker = settings.broker
        log.info("manager of %s ready: %s on %s port %d", settings.directory, broker.kind, broker.host, broker.port)
        ended.wait()
        log.info("stopping")


def rebuild_series(
    settings: Settings, processes: int, said: Callable[[str], None], scheduler: str | None = None
) -> Rebuilt:
    """Make numbers and roll-ups of a data directory anew; SetupError while a manager runs on it."""
    with only_one(settings.lock):
        return rebuild(settings.database, processes, said, scheduler)


@contextmanager
def ended_by_signals() -> Iterator[threading.Event]:
    """Give an event that SIGINT, SIGTERM and SIGHUP set, so that whoever runs can end in order."""
    ended = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda *_: ended.set()) for number in numbers]
    try:
        yield ended
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _fill(settings: Settings, store: Database) -> None:
    Authority.create(settings.identities, settings.broker.names, time.time())
    settings.broker_directory.mkdir(mode=0o700)
    (settings.directory / "nodes").mkdir(mode=0o700)
    create_database(store)
    settings_file.save(settings)


def _empty(directory: Path, *, remove: bool) -> None:
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if remove:
        directory.rmdir()
