"""The ways of an alert: SMTP (smtplib), webhook (urllib), MQTT (the manager's own session); and who tries them again.

    deliverer = Deliverer({"mail": (severity, send)...}); deliverer.start(); deliverer.tell(notices); deliverer.stop()

A way that fails is tried again after growing pauses for a day; one way that fails never keeps another one from working.
"""

import json
import logging
import os
import smtplib
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from typing import NamedTuple

from device_manager.errors import CitynodeError, SetupError
from device_manager.monitoring.alert import CLEARED, Notice
from device_manager.monitoring.delivery import GIVEN_UP_S, Mail, Ways, Webhook, as_document, is_for, message, pause_s
from device_manager.ports import Broker

TIMEOUT_S = 20.0
TOPIC = "citynode/alerts/{number}"
_log = logging.getLogger("citynode.alerts")
Send = Callable[[Notice], None]


class _Waiting(NamedTuple):
    way: str
    notice: Notice
    since_s: float
    tries: int
    due_s: float


def senders(ways: Ways, fleet: str, broker: Broker | None) -> dict[str, tuple[str, Send]]:
    """Return {way: (severity, function)} of the ways that are configured; MQTT needs a broker."""
    found: dict[str, tuple[str, Send]] = {}
    if ways.mail:
        mail = ways.mail
        found["mail"] = mail.severity, lambda notice: send_mail(mail, notice, fleet)
    if ways.webhook:
        webhook = ways.webhook
        found["webhook"] = webhook.severity, lambda notice: send_webhook(webhook, notice, fleet)
    if ways.mqtt and broker:
        session = broker
        found["mqtt"] = ways.mqtt.severity, lambda notice: send_mqtt(session, notice, fleet)
    return found


def send_mail(way: Mail, notice: Notice, fleet: str) -> None:
    """Send one mail; OSError (of which SMTPException is one) when it was not taken."""
    words = message(notice, fleet)
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = words.subject, way.sender, ", ".join(way.to)
    mail.set_content(words.text)
    context = ssl.create_default_context()
    plain = way.security != "tls"
    server = (
        smtplib.SMTP(way.host, way.port, timeout=TIMEOUT_S)
        if plain
        else smtplib.SMTP_SSL(way.host, way.port, timeout=TIMEOUT_S, context=context)
    )
    with server:
        if way.security == "starttls":
            server.starttls(context=context)
        if way.user:
            server.login(way.user, _password(way.password_variable))
        server.send_message(mail)


def send_webhook(way: Webhook, notice: Notice, fleet: str) -> None:
    """POST one notice; OSError when it was not taken (an answer of 400 and above too)."""
    body = json.dumps(as_document(notice, fleet), ensure_ascii=False).encode()
    request = urllib.request.Request(way.url, body, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):
        return


def send_mqtt(broker: Broker, notice: Notice, fleet: str) -> None:
    """Publish one notice, retained while the alert is open."""
    topic = TOPIC.format(number=notice.alert.number)
    text = json.dumps(as_document(notice, fleet), ensure_ascii=False).encode()
    broker.publish(topic, text, qos=1, retain=notice.kind != CLEARED)
    if notice.kind == CLEARED:
        broker.publish(topic, b"", qos=1, retain=True)  # removes the retained one (MQTT 5, 3.3.1.3)


def _password(variable: str) -> str:
    found = os.environ.get(variable, "")
    if not found:
        raise SetupError(expected=f"a password in {variable}", got="none", todo="set it where the manager is started")
    return found


class Deliverer:
    """A thread that tells; `start` and `stop` once each, `tell` from any thread."""

    def __init__(self, ways: Mapping[str, tuple[str, Send]], clock_s: Callable[[], float] = time.monotonic) -> None:
        self._ways = dict(ways)
        self._clock_s = clock_s
        self._waiting: list[_Waiting] = []
        self._lock = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Try what is due once more, then end."""
        with self._lock:
            self._ending = True
            self._lock.notify()
        self._thread.join()

    def tell(self, notices: Sequence[Notice]) -> None:
        """Hand over notices; returns at once."""
        now_s = self._clock_s()
        with self._lock:
            for notice in notices:
                _log.warning("alert %d %s: %s", notice.alert.number, notice.kind, notice.alert.text)
                for way, (severity, _) in self._ways.items():
                    if is_for(severity, notice):
                        self._waiting.append(_Waiting(way, notice, now_s, 0, now_s))
            self._lock.notify()

    def deliver(self) -> None:
        """Send what is due; what fails waits for its next try."""
        now_s = self._clock_s()
        with self._lock:
            due = [one for one in self._waiting if one.due_s <= now_s]
            self._waiting = [one for one in self._waiting if one.due_s > now_s]
        for one in due:
            self._try(one, now_s)

    @property
    def waiting(self) -> int:
        """Deliveries that are to come."""
        return len(self._waiting)

    def _try(self, one: _Waiting, now_s: float) -> None:
        try:
            self._ways[one.way][1](one.notice)
        except (OSError, CitynodeError) as error:
            tries = one.tries + 1
            given_up = now_s - one.since_s > GIVEN_UP_S
            _log.error("alert %d not told by %s (%s)%s", one.notice.alert.number, one.way, error,
                       ", given up" if given_up else "")  # fmt: skip
            if not given_up:
                with self._lock:
                    self._waiting.append(one._replace(tries=tries, due_s=now_s + pause_s(tries)))

    def _run(self) -> None:
        while True:
            self.deliver()
            with self._lock:
                if self._ending:
                    return
                due_s = min((one.due_s for one in self._waiting), default=self._clock_s() + 60)
                self._lock.wait(max(0.05, due_s - self._clock_s()))
