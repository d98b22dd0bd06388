"""The manager's services that run as processes of their own. One that cannot start does not keep readings out."""

import logging
from contextlib import ExitStack

from device_manager.adapters.broker_supervisor import Supervisor
from device_manager.adapters.child_service import ChildService
from device_manager.errors import CitynodeError
from device_manager.settings import Settings

log = logging.getLogger("citynode")


def services(settings: Settings) -> list[ChildService]:
    """Return the services that the settings ask for; port 0 asks for none."""
    directory, twin, web = settings.directory, settings.twin, settings.web
    listening = [("dashboard", "device_manager.web.dashboard", web), ("twin", "device_manager.web.open", twin)]
    return [ChildService(name, module, directory, at.host, at.port) for name, module, at in listening if at.port]


def start(settings: Settings, parts: ExitStack) -> None:
    """Start them, each watched by a supervisor that `parts` stops."""
    for service in services(settings):
        supervisor = Supervisor(service)
        try:
            supervisor.start()
        except CitynodeError as error:
            log.warning("the service %s is not there: %s", service.name, error)
            continue
        parts.callback(supervisor.stop)
        log.info("%s on http://%s:%d", service.name, service.host, service.port)
