"""A small object store that speaks as much of S3's HTTP as pyarrow's file system uses; keys are not checked.

Buckets and objects lie in memory. Path-style addresses: /bucket/key. Faults: `refuse` makes the next so many PUTs fail.
"""

import hashlib
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_XML = '<?xml version="1.0" encoding="UTF-8"?>'


class ObjectStore:
    """What is stored, by /bucket/key."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.refuse = 0

    def address(self, path: str) -> str:
        """Return the address of a path as pyarrow takes it."""
        return f"s3://{path}?endpoint_override=127.0.0.1:{self.port}&scheme=http&region=eu-central-1"


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Run one on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.store = ObjectStore(server.server_address[1])  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.store  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def store(self) -> ObjectStore:
        return self.server.store  # type: ignore[attr-defined,no-any-return]

    def log_message(self, *_: object) -> None:
        return

    def do_PUT(self) -> None:
        path, query, body = self._request()
        if self.store.refuse:
            self.store.refuse -= 1
            self._answer(403, f"{_XML}<Error><Code>AccessDenied</Code><Message>no</Message></Error>".encode())
        elif "uploadId" in query:
            self.store.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
            self._answer(200, headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
        elif "x-amz-copy-source" in self.headers:
            source = "/" + unquote(self.headers["x-amz-copy-source"]).lstrip("/")
            self.store.objects[path] = self.store.objects[source]
            self._answer(200, f'{_XML}<CopyObjectResult><ETag>"x"</ETag></CopyObjectResult>'.encode())
        else:
            self.store.objects[path] = body
            self._answer(200, headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})

    def do_POST(self) -> None:
        path, query, body = self._request()
        if "uploads" in query:
            upload = uuid.uuid4().hex
            self.store.parts[upload] = {}
            text = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            self._answer(200, (_XML + text).encode())
        elif "uploadId" in query:
            parts = self.store.parts.pop(query["uploadId"][0])
            self.store.objects[path] = b"".join(parts[number] for number in sorted(parts))
            text = '<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>'
            self._answer(200, (_XML + text).encode())
        else:  # DeleteObjects
            self._answer(200, f"{_XML}<DeleteResult></DeleteResult>".encode())

    def do_GET(self) -> None:
        path, query, _ = self._request()
        if "list-type" in query:
            self._list(path, query.get("prefix", [""])[0])
        elif path not in self.store.objects:
            self._answer(404, f"{_XML}<Error><Code>NoSuchKey</Code><Message>none</Message></Error>".encode())
        else:
            data, asked = self.store.objects[path], self.headers.get("Range")
            if asked:
                first, last = asked.removeprefix("bytes=").split("-")
                end = min(int(last), len(data) - 1)
                data = data[int(first) : end + 1]
            self._answer(206 if asked else 200, data)

    def do_HEAD(self) -> None:
        path, _, _ = self._request()
        if path in self.store.objects:
            self._answer(200, length=len(self.store.objects[path]))
        else:
            self._answer(404)

    def do_DELETE(self) -> None:
        path, _, _ = self._request()
        self.store.objects.pop(path, None)
        self._answer(204)

    def _list(self, bucket: str, prefix: str) -> None:
        keys = [key for key in self.store.objects if key.startswith(f"{bucket.rstrip('/')}/{prefix}")]
        rows = "".join(
            f"<Contents><Key>{key.split('/', 2)[2]}</Key><Size>{len(self.store.objects[key])}</Size></Contents>"
            for key in keys
        )
        text = f"<ListBucketResult><KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>{rows}"
        self._answer(200, f"{_XML}{text}</ListBucketResult>".encode())

    def _request(self) -> tuple[str, dict[str, list[str]], bytes]:
        parts = urlsplit(self.path)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            body = _unchunked(body)
        return unquote(parts.path), parse_qs(parts.query, keep_blank_values=True), body

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass

    def _answer(
        self, code: int, body: bytes = b"", headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body)


def _unchunked(body: bytes) -> bytes:
    """Undo the framing of aws-chunked: size in hex, the bytes, ..., 0, trailers."""
    data, at = b"", 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        if not size:
            return data
        data += body[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
