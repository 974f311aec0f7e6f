"""What the compatibility tests share: a server of Mimeo, and a proxy in front of it that breaks things on purpose.

Only the standard library, so that both clients' environments can use it.
"""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("MIMEO_BUILD", "build"))
TOKEN = "r8_0123456789abcdefghijABCDEFGHIJ0123456"


def version_of(name):
    with open(os.path.join(ROOT, "tests", "models", name + ".yaml"), encoding="utf-8") as manifest:
        return re.search(r"id: ([0-9a-f]{64})", manifest.read()).group(1)


class Server:
    """`mimeo serve` with the test runner's models and a data folder of its own."""

    def __init__(self, *args):
        self.data = tempfile.mkdtemp(prefix="mimeo-compat-")
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "mimeo"), "serve", "--listen", "127.0.0.1:0", "--data", self.data,
             "--runner", os.path.join(BUILD, "mimeo-test-runner"), "--manifests", os.path.join(ROOT, "tests/models"),
             "--log-level", "warn", "--cancel-grace", "500", "--drain-timeout", "1", "--deployment-quiet", "0", *args],
            cwd=ROOT, env={**os.environ, "MIMEO_TOKEN": TOKEN}, stdout=subprocess.PIPE, text=True)
        self.url = re.search(r"https?://\S+", self.process.stdout.readline()).group(0)
        self.port = int(self.url.rsplit(":", 1)[1])

    def call(self, method, path, body=None):
        """One raw request: (status, headers, JSON or text)."""
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"})
        try:
            response = urllib.request.urlopen(request, timeout=70)
        except urllib.error.HTTPError as error:
            response = error
        text = response.read().decode()
        try:
            return response.status, response.headers, json.loads(text)
        except ValueError:
            return response.status, response.headers, text

    def prediction_count(self):
        status, _, page = self.call("GET", "/v1/predictions")
        assert status == 200 and page["next"] is None
        return len(page["results"])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.data, ignore_errors=True)


class FaultProxy:
    """Forwards each request to the server, but does to the first ones that match what it is told.

    faults: list of (method, path's beginning, fault); each is used once, in order. A fault is a number (that status is
    answered and the server never asked), a pair (status, Retry-After), "drop" (the server never asked, the connection
    is reset) or "lose" (the server is asked and its answer thrown away, the connection is reset).
    """

    def __init__(self, port):
        self.faults = []
        self.seen = []  # (method, path) of all requests
        self.lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reset(self):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

            def answer(self, status, headers, body):
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def forward(self, body):
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                request = urllib.request.Request(f"http://127.0.0.1:{port}{self.path}", data=body, method=self.command, headers=headers)
                try:
                    response = urllib.request.urlopen(request, timeout=70)
                except urllib.error.HTTPError as error:
                    response = error
                with response:
                    return response.status, list(response.headers.items()), response.read()

            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
                fault = proxy.take(self.command, self.path)
                if fault == "drop":
                    return self.reset()
                if isinstance(fault, (int, tuple)):
                    status, after = fault if isinstance(fault, tuple) else (fault, None)
                    text = json.dumps({"detail": "injected", "status": status}).encode()
                    return self.answer(status, [("Content-Type", "application/problem+json")] + ([("Retry-After", str(after))] if after is not None else []), text)
                answer = self.forward(body)
                return self.reset() if fault == "lose" else self.answer(*answer)

            do_GET = do_POST = do_PATCH = do_DELETE = do_QUERY = do_HEAD = any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, method, path):
        with self.lock:
            self.seen.append((method, path))
            for i, (want, begins, fault) in enumerate(self.faults):
                if want == method and path.startswith(begins):
                    del self.faults[i]
                    return fault
        return None

    def reset(self, *faults):
        with self.lock:
            self.faults, self.seen = list(faults), []

    def count(self, method, begins):
        with self.lock:
            return sum(1 for m, p in self.seen if m == method and p.startswith(begins))

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Receiver:
    """A webhook receiver: keeps (headers, body) of each delivery."""

    def __init__(self):
        self.deliveries = []
        self.paths = []  # with the query, one per delivery
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver.paths.append(self.path)
                receiver.deliveries.append((dict(self.headers.items()), body))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?of=mine"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count, timeout_s=15):
        end = time.monotonic() + timeout_s
        while len(self.deliveries) < count and time.monotonic() < end:
            time.sleep(0.02)
        return self.deliveries

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
