"""Alerts reach people by each way, in words that say what to do, and are tried again."""

from __future__ import annotations

import email
import json
import time
from email.message import Message
from pathlib import Path

import pytest

from device_manager.adapters.notify import Deliverer, send_mail, send_webhook, senders
from device_manager.alerting import send_test
from device_manager.errors import SetupError
from device_manager.monitoring.alert import CLEARED, RAISED, Alert, Notice
from device_manager.monitoring.delivery import Mail, Ways, Webhook, message, pause_s, read_ways
from device_manager.settings import Settings
from tests.device_manager.monitoring_fleet import Watched
from tests.fakes.broker import FakeBroker
from tests.fakes.post import Hook, MailServer
from tests.waiting import wait_for

SIGNAL = {"rssi_dbm": -91.0}


@pytest.fixture
def alert(tmp_path: Path) -> Alert:
    fleet = Watched(tmp_path, nodes=1, every_s=60)
    fleet.run(3600, SIGNAL, fleet.nodes)
    return fleet.notices[0].alert


def mail_way(server: MailServer) -> Mail:
    return Mail("127.0.0.1", "citynode@example.org", ("fleet@example.org",), server.port, "none", severity="info")


def parsed(text: str) -> tuple[Message, str]:
    found = email.message_from_string(text)
    body = found.get_payload(decode=True)
    assert isinstance(body, bytes)
    return found, body.decode()


def test_mail_says_value_limit_since_when_and_next_step(alert: Alert) -> None:
    with MailServer() as server:
        send_mail(mail_way(server), Notice(RAISED, alert), "Kempten")
        head, body = parsed(server.mails[0])
    assert head["To"] == "fleet@example.org"
    assert head["Subject"].replace("\n", "") == "[Kempten] node-000: has a weak signal, -91 dBm (limit -85)"
    assert "since      2025-10-09T" in body
    assert "next step  turn the antenna" in body
    assert "citynode alert ack 1" in body


def test_mail_that_ends_an_alert_says_so(alert: Alert) -> None:
    words = message(Notice(CLEARED, alert), "Kempten")
    assert words.subject.startswith("[Kempten] over: node-000")
    assert "next step" not in words.text


def test_webhook_gets_the_alert_as_json(alert: Alert) -> None:
    with Hook() as hook:
        send_webhook(Webhook(hook.url), Notice(RAISED, alert), "Kempten")
        sent = json.loads(hook.bodies[0])
    assert (sent["kind"], sent["value"], sent["limit"], sent["unit"]) == ("raised", -91.0, -85.0, "dBm")
    assert sent["nodes"] == ["node-000"] and sent["next_step"]


def test_mqtt_message_is_retained_until_the_alert_is_over(alert: Alert) -> None:
    broker = FakeBroker()
    ways = senders(read_ways({"mqtt": {}}), "Kempten", broker)
    ways["mqtt"][1](Notice(RAISED, alert))
    ways["mqtt"][1](Notice(CLEARED, alert))
    assert [topic for topic, _ in broker.published] == ["citynode/alerts/1"] * 3
    assert broker.published[-1][1] == b""


def test_alert_that_one_way_refuses_goes_by_the_other_and_is_tried_again(alert: Alert) -> None:
    now_s = [0.0]
    with MailServer(refuse=2) as server, Hook() as hook:
        ways = Ways(mail_way(server), Webhook(hook.url, "info"))
        deliverer = Deliverer(senders(ways, "Kempten", None), lambda: now_s[0])
        deliverer.tell([Notice(RAISED, alert)])
        deliverer.deliver()
        assert (len(server.mails), len(hook.bodies), deliverer.waiting) == (0, 1, 1)
        for now_s[0] in (9.0, 10.0, 29.0, 30.0):
            deliverer.deliver()
        assert (len(server.mails), len(hook.bodies), deliverer.waiting) == (1, 1, 0)


def test_delivery_is_given_up_after_a_day(alert: Alert) -> None:
    now_s = [0.0]
    with Hook(status=500) as hook:
        deliverer = Deliverer(senders(Ways(None, Webhook(hook.url, "info")), "K", None), lambda: now_s[0])
        deliverer.tell([Notice(RAISED, alert)])
        while deliverer.waiting and now_s[0] < 200_000:
            deliverer.deliver()
            now_s[0] += 600.0
    assert deliverer.waiting == 0 and 86_400 <= now_s[0] < 90_000


def test_thread_tells_what_it_is_given(alert: Alert) -> None:
    with Hook() as hook:
        deliverer = Deliverer(senders(Ways(None, Webhook(hook.url, "info")), "K", None), time.monotonic)
        deliverer.start()
        deliverer.tell([Notice(RAISED, alert)])
        wait_for(lambda: len(hook.bodies) == 1)
        deliverer.stop()


def test_way_is_used_from_its_severity_on(alert: Alert) -> None:
    with Hook() as hook:
        deliverer = Deliverer(senders(Ways(None, Webhook(hook.url)), "K", None), lambda: 0.0)
        deliverer.tell([Notice(RAISED, alert)])  # an info
        assert deliverer.waiting == 0


def test_pauses_grow_to_ten_minutes() -> None:
    assert [pause_s(tries) for tries in (1, 2, 3, 20)] == [10, 20, 40, 600]


def test_test_message_says_what_came_of_it(tmp_path: Path) -> None:
    with Hook() as hook:
        text = f'[webhook]\nurl = "{hook.url}"\n[mail]\nhost = "127.0.0.1"\nport = 1\nfrom = "a@b"\nto = ["c@d"]\n'
        (tmp_path / "alerts.toml").write_text(text)
        outcomes = dict(send_test(Settings(tmp_path), 0))
    assert outcomes["webhook"] == "sent"
    assert "refused" in outcomes["mail"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"sms": {}}, "expected only [mail], [webhook], [mqtt] and [rules] of alerts.toml, got [sms]"),
        ({"mail": {"host": "a", "from": "b"}}, "expected to in [mail] of alerts.toml, got none"),
        ({"mail": {"host": "a", "from": "b", "to": "c"}}, "expected list for to in [mail]"),
        ({"mail": {"host": "a", "from": "b", "to": ["c"], "security": "ssl"}}, "expected security starttls, tls, none"),
        ({"webhook": {"url": "file:///etc/passwd"}}, "expected an http or https address for url in [webhook]"),
        ({"mqtt": {"severity": "loud"}}, "expected severity info, warning, critical in [mqtt]"),
    ],
)
def test_wrong_way_is_named(document: dict[str, object], words: str) -> None:
    with pytest.raises(SetupError) as raised:
        read_ways(document)
    assert words in str(raised.value)
