# SPDX-License-Identifier: Apache-2.0
"""As much of D-Bus as a test needs to stand in for a service of the host: the values of messages, and a
socket in the mount table of the tests alone."""
import contextlib
import ctypes
import os
import socket
import struct
import threading

_libc = ctypes.CDLL(None, use_errno=True)


class Reader:
    """Values of a D-Bus message, by their signature."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def align(self, n):
        self.at += -self.at % n

    def number(self, form):
        size = struct.calcsize(form)
        self.align(size)
        self.at += size
        return struct.unpack_from("<" + form, self.data, self.at - size)[0]

    def text(self, form="I"):
        n = self.number(form)
        self.at += n + 1
        return self.data[self.at - n - 1:self.at - 1].decode()

    def array(self, align, one):
        n = self.number("I")
        self.align(align)
        end, found = self.at + n, []
        while self.at < end:
            found.append(one())
        return found

    def value(self, kind):
        if kind in "so":
            return self.text()
        if kind == "v":
            return self.value(self.text("B"))
        if kind == "g":
            return self.text("B")
        if kind == "au":
            return self.array(4, lambda: self.number("I"))
        return {"b": lambda: bool(self.number("I")), "u": lambda: self.number("I"), "t": lambda: self.number("Q")}[kind]()

    def pair(self, key):
        self.align(8)
        return key(), self.value("v")


def text(s):
    return struct.pack("<I", len(s)) + s.encode() + b"\0"


def pad(data, n):
    return data + b"\0" * (-len(data) % n)


def message(kind, fields, body, serial):
    packed = b""
    for code, sign, value in fields:
        packed = pad(packed, 8) + bytes([code, 1]) + sign.encode() + b"\0"
        packed += struct.pack("<I", value) if sign == "u" else bytes([len(value)]) + value.encode() + b"\0" if sign == "g" \
            else pad(packed, 4)[len(packed):] + text(value)
    return pad(struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), serial, len(packed)) + packed, 8) + body


class Service:
    """As a context: the socket FOLDER/NAME is there, and what comes is given to `answer`."""

    folder, name = None, None

    def __enter__(self):
        self.made = not self.folder.exists()
        self.folder.mkdir(exist_ok=True)
        assert _libc.mount(b"none", str(self.folder).encode(), b"tmpfs", 0, None) == 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.folder / self.name))
        self.listener.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(20)
        self.listener.close()
        _libc.umount2(str(self.folder).encode(), 2)
        if self.made:
            self.folder.rmdir()

    def _serve(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            with client, contextlib.suppress(ConnectionError, struct.error):
                self._talk(client, client.makefile("rb"))

    def _talk(self, client, lines):
        assert lines.read(1) == b"\0"
        hello = lines.readline().split()
        assert hello[:2] == [b"AUTH", b"EXTERNAL"] and bytes.fromhex(hello[2].decode()) == str(os.geteuid()).encode()
        client.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
        assert lines.readline() == b"BEGIN\r\n"
        while head := lines.read(16):
            _, _, _, _, n, serial, n_fields = struct.unpack("<cBBBIII", head)
            r = Reader(head + lines.read(n_fields + -n_fields % 8))
            r.at, fields = 16, {}
            while r.at < 16 + n_fields:
                r.align(8)
                code = r.number("B")
                fields[code] = r.value("v")
            self.answer(client, serial, fields[3], Reader(lines.read(n)))

    def answer(self, client, serial, member, body):
        """Answers the call of MEMBER; BODY is a Reader of its arguments."""
        raise NotImplementedError
