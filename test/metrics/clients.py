#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Usage: clients.py URL NAME: one of the tests below, against an exporter with a timeout of 2 s, that lets
16 clients in. Prints what is wrong. HTTP as bytes: no client library would send these.
"""
import socket
import sys
import time
from urllib.parse import urlsplit

where = urlsplit(sys.argv[1])
LIMIT = 20  # seconds: a server that hangs
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Wrong(Exception):
    pass


def expect(true, text):
    if not true:
        raise Wrong(text)


def connect():
    return socket.create_connection((where.hostname, where.port), LIMIT)


def read_all(connection):
    """What comes until the server ends the connection, however that is."""
    data = b""
    try:
        while True:
            part = connection.recv(65536)
            if not part:
                return data
            data += part
    except ConnectionResetError:
        return data


def request(method="GET", path="/metrics", headers=(), body=b""):
    """Status, headers, body."""
    with connect() as connection:
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode() + body)
        return parse(read_all(connection))


def parse(data):
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    expect(len(words) > 1 and words[1].isdigit(), f"no answer of HTTP: {data[:200]!r}")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(words[1]), headers, body


def well():
    status, headers, body = request()
    expect(status == 200 and headers["content-type"] == PLAIN and b"lfset_sets " in body,
           f"it does not serve any more: {status} {headers}")


def test_accept():
    """The format is what the Accept header wants."""
    prometheus = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                  "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
    for accept, status, wanted in (
            (None, 200, PLAIN), ("", 200, PLAIN), ("*/*", 200, PLAIN), (prometheus, 200, OPEN),
            ("application/openmetrics-text", 200, OPEN),
            ("text/plain;q=0.3, application/openmetrics-text;version=1.0.0;q=0.2", 200, PLAIN),
            ("text/html,application/xhtml+xml,*/*;q=0.8", 200, PLAIN),
            ("application/openmetrics-text;version=0.0.1", 406, None),
            ("image/png", 406, None), ("*/*;q=0", 406, None)):
        got, headers, body = request(headers=[] if accept is None else [f"Accept: {accept}"])
        expect(got == status, f"Accept: {accept}: {got}, not {status}")
        expect(wanted is None or headers["content-type"] == wanted,
               f"Accept: {accept}: {headers['content-type']}")
        expect(body.endswith(b"# EOF\n") == (wanted == OPEN), f"Accept: {accept}: how it ends")
        expect(len(body) > 20, f"Accept: {accept}: no reason")
    # of two headers of the name, both count
    _, headers, _ = request(headers=["Accept: text/plain;q=0.1", "Accept: application/openmetrics-text"])
    expect(headers["content-type"] == OPEN, "two Accept headers")


def test_methods():
    """GET and HEAD, and reasons for all else."""
    _, _, index = request(path="/")
    expect(b"<html" in index and b"metrics" in index, "the page at /")
    _, headers, json = request(path="/json")
    expect(headers["content-type"] == "application/json" and json.startswith(b"{"), "/json")
    for path in ("/", "/json", "/metrics"):
        status, headers, body = request("HEAD", path)
        expect(status == 200 and body == b"" and int(headers["content-length"]) > 0, f"HEAD {path}")
    for path in ("/metric", "/metrics/", "/../metrics", "//"):
        status, _, body = request(path=path)
        expect(status == 404 and body.endswith(b"\n"), f"GET {path}: {status}")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        status, headers, body = request(method, headers=["Content-Length: 4"], body=b"body")
        expect(status == 405 and headers["allow"] == "GET, HEAD" and body.endswith(b"\n"),
               f"{method}: {status} {headers}")
    status, _, body = request(headers=["Content-Length: 4"], body=b"body")
    expect(status == 200 and body, "GET with a body")


def test_many_requests():
    """One connection, many requests."""
    with connect() as connection:
        for i in range(20):
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            status, headers, body = parse(data)
            while len(body) < int(headers["content-length"]):
                body += connection.recv(65536)
            expect(status == 200, f"request {i}: {status}")
    well()


def test_garbage():
    """What is no HTTP is refused or ended, and others are served."""
    for text in (b"\x00\xff\x16\x03\x01" * 50 + b"\r\n\r\n", b"GET\r\n\r\n", b"\r\n" * 2000,
                 b"GET /metrics HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
                 b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                 b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"):
        with connect() as connection:
            try:
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has already had enough
            answer = read_all(connection)
            expect(not answer.startswith(b"HTTP/1.1 200 "), f"{text[:60]!r}: accepted")
        well()


def test_half():
    """Half a request is ended, in time, and those who leave in the middle harm nobody."""
    for part in (b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: ", b""):
        with connect() as connection:
            connection.sendall(part)
            well()
            read_all(connection)  # until the exporter has had enough
    for _ in range(30):
        connection = connect()
        connection.sendall(b"GET /json HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.close()
    well()


def test_trickle():
    """A request that never gets done, a byte at a time, is ended."""
    with connect() as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        try:
            for _ in range(LIMIT * 10):
                connection.sendall(b"A")
                time.sleep(0.1)
            raise Wrong("it was never ended")
        except OSError:
            pass
    well()


def test_idle():
    """Fifty who connect and say nothing do not keep others out."""
    idle = [connect() for _ in range(50)]
    started = time.monotonic()
    for _ in range(5):
        well()
    idle += [connect() for _ in range(50)]
    well()
    for connection in idle:
        connection.close()
    print(f"served within {time.monotonic() - started:.2f} s")


def main():
    try:
        globals()["test_" + sys.argv[2]]()
    except (Wrong, OSError) as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    return 0


sys.exit(main())
