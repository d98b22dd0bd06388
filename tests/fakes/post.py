"""Servers that take what alerts send: SMTP (RFC 5321, the commands that smtplib uses) and an HTTP hook."""

from __future__ import annotations

import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType


class MailServer(socketserver.ThreadingTCPServer):
    """An SMTP server on 127.0.0.1; `mails` are the texts that it took, `refuse` how many sessions it refuses first."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, refuse: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[str] = []
        self.refuse = refuse
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __exit__(self, *error: BaseException | type[BaseException] | TracebackType | None) -> None:
        self.shutdown()
        self.server_close()


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        if self.server.refuse:
            self.server.refuse -= 1
            self._say("421 come back later")
            return
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            if line.upper() == "DATA":
                self._say("354 go on")
                self.server.mails.append(self._body())
            self._say("221 bye" if line.upper() == "QUIT" else "250 well")
            if line.upper() == "QUIT":
                return

    def _body(self) -> str:
        lines = []
        while (line := self.rfile.readline().decode()) != ".\r\n":
            lines.append(line)
        return "".join(lines)

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


class Hook(HTTPServer):
    """A webhook on 127.0.0.1; `bodies` are what it took, it answers with `status`."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.bodies: list[bytes] = []
        self.status = status
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def __exit__(self, *error: BaseException | type[BaseException] | TracebackType | None) -> None:
        self.shutdown()
        self.server_close()


class _Hook(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:
        return
