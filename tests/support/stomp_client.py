"""A small STOMP client of our own: for tests that must control pipelining byte by byte, and that want
speed. What others wrote is tested in tests/interop.

    client = Client(port)
    client.send('SEND', {'destination': '/queue/a', 'receipt': '1'}, b'body')   # queued
    client.flush()
    frame = client.receive()                # the next frame; AssertionError after a minute
"""

import select
import socket
import time
from typing import NamedTuple

RECEIVE_SECONDS = 60

_ESCAPES = {'\\r': '\r', '\\n': '\n', '\\c': ':', '\\\\': '\\'}


class Frame(NamedTuple):
    command: str
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode()


class Closed(Exception):
    """The broker closed the connection (or was killed)."""


class ErrorFrame(AssertionError):
    """An ERROR where none was expected."""

    def __init__(self, frame):
        super().__init__(f'ERROR {frame.headers} {frame.body[:500]!r}')
        self.frame = frame


def encode(command, headers, body=b''):
    """One frame as bytes; escapes per STOMP 1.2 except in CONNECT."""
    if command != 'CONNECT':
        headers = {name: _escape(str(value)) for name, value in headers.items()}
    lines = [command, *(f'{name}:{value}' for name, value in headers.items())]
    if body:
        lines.append(f'content-length:{len(body)}')
    return ('\n'.join(lines) + '\n\n').encode() + body + b'\0'


def _escape(text):
    for escaped, plain in reversed(_ESCAPES.items()):
        text = text.replace(plain, escaped)
    return text


def _unescape(text):
    if '\\' not in text:
        return text
    out, position = [], 0
    while position < len(text):
        pair = text[position:position + 2]
        out.append(_ESCAPES.get(pair, text[position]))
        position += 2 if pair in _ESCAPES else 1
    return ''.join(out)


class Client:
    """One connection. Not for several threads at a time."""

    def __init__(self, port, version='1.2', connect=True, **headers):
        """Further headers of CONNECT, with _ for -: client_id='a', heart_beat='0,0'."""
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=RECEIVE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out = bytearray()
        self._in = bytearray()
        self._position = 0
        self._receipt = 0
        self.connected = None
        if connect:
            try:
                self.send('CONNECT', {'accept-version': version, 'host': 'localhost',
                                      **{name.replace('_', '-'): value
                                         for name, value in headers.items()}})
                self.connected = self.expect('CONNECTED')
            except BaseException:
                self.close()
                raise

    def close(self):
        """Without DISCONNECT, as a client that died."""
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- sending ---------------------------------------------------------------------------------

    def send(self, command, headers, body=b''):
        """Queues one frame; leaves with flush() or the next receive()."""
        self._out += encode(command, headers, body)

    def send_raw(self, data):
        self._out += data

    def flush(self):
        if self._out:
            data, self._out = self._out, bytearray()
            try:
                self.socket.sendall(data)
            except (BrokenPipeError, ConnectionResetError) as error:
                raise Closed() from error

    def request(self, command, headers, body=b''):
        """Sends with a receipt and waits for it; what else arrives meanwhile is returned."""
        self._receipt += 1
        receipt = f'request-{self._receipt}'
        self.send(command, {**headers, 'receipt': receipt}, body)
        others = []
        while True:
            frame = self.receive()
            if frame.command == 'RECEIPT' and frame.headers['receipt-id'] == receipt:
                return others
            if frame.command == 'ERROR':
                raise ErrorFrame(frame)
            others.append(frame)

    # --- receiving -------------------------------------------------------------------------------

    def receive(self, seconds=RECEIVE_SECONDS):
        """The next frame. AssertionError after so many seconds; Closed at the end."""
        self.flush()
        deadline = time.monotonic() + seconds
        while True:
            frame = self.buffered()
            if frame is not None:
                return frame
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f'no frame within {seconds} s')
            self.read_more(left)

    def read_more(self, seconds):
        """Waits at most so long for bytes and takes them in; False if none came."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return False
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError as error:
            raise Closed() from error
        if not data:
            raise Closed()
        del self._in[:self._position]
        self._position = 0
        self._in += data
        return True

    def buffered(self):
        """The next frame that is wholly here, or None."""
        data, start = self._in, self._position
        while start < len(data) and data[start] in b'\r\n':
            start += 1
        self._position = start
        head_end = data.find(b'\n\n', start)
        if head_end < 0:
            return None
        lines = data[start:head_end].decode().split('\n')
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(':')
            headers.setdefault(_unescape(name), _unescape(value))
        body_start = head_end + 2
        if 'content-length' in headers:
            body_end = body_start + int(headers['content-length'])
            if len(data) <= body_end:
                return None
            assert data[body_end] == 0, 'no NUL after content-length bytes'
        else:
            body_end = data.find(b'\0', body_start)
            if body_end < 0:
                return None
        self._position = body_end + 1
        return Frame(lines[0], headers, bytes(data[body_start:body_end]))

    def expect(self, command, **headers):
        """The next frame, which must have this command and these headers (with _ for -)."""
        frame = self.receive()
        if frame.command == 'ERROR' and command != 'ERROR':
            raise ErrorFrame(frame)
        assert frame.command == command, f'{frame} instead of {command}'
        for name, value in headers.items():
            name = name.replace('_', '-')
            assert frame.headers.get(name) == value, f'{name} of {frame} is not {value!r}'
        return frame

    def expect_closed(self):
        """Reads until the broker closes; what came before is returned."""
        frames = []
        while True:
            try:
                frames.append(self.receive())
            except Closed:
                return frames

    def nothing_pending(self):
        """True if the broker has nothing to say: a receipt overtakes nothing of this connection, so
        what it would have sent before would come before the receipt."""
        return not self.request('BEGIN', {'transaction': f'probe-{self._receipt}'})

    # --- the usual requests ----------------------------------------------------------------------

    def publish(self, destination, body, persistent=True, wait=True, **headers):
        headers = {'destination': destination, **({'persistent': 'true'} if persistent else {}),
                   **{name.replace('_', '-'): value for name, value in headers.items()}}
        body = body if isinstance(body, bytes) else body.encode()
        return self.request('SEND', headers, body) if wait else self.send('SEND', headers, body)

    def subscribe(self, destination, id='0', ack='auto', **headers):
        """Waits for the receipt; no MESSAGE of this subscription comes before it."""
        return self.request('SUBSCRIBE', {'destination': destination, 'id': id, 'ack': ack,
                                          **{name.replace('_', '-'): value
                                             for name, value in headers.items()}})

    def ack(self, frame, command='ACK', wait=True, **headers):
        headers = {'id': frame.headers['ack'], **headers}
        return self.request(command, headers) if wait else self.send(command, headers)

    def disconnect(self):
        """DISCONNECT, its receipt, and the broker's close."""
        others = self.request('DISCONNECT', {})
        self.expect_closed()
        self.close()
        return others
