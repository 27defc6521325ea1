"""The client's side of WebSocket (RFC 6455), frame by frame, so that a test can send what a library would
not. As a stream (sendall, recv, close) it carries MQTT: binary messages, their borders forgotten."""

import base64
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class WebSocket:
    def __init__(self, port, offered='mqtt'):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=60)
        self.subprotocol = None
        self.close_code = None
        self.kinds = set()  # of the frames with data that came
        self._input = b''
        self._data = b''
        key = base64.b64encode(os.urandom(16)).decode()
        offer = f'Sec-WebSocket-Protocol: {offered}\r\n' if offered else ''
        self.socket.sendall(
            f'GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            f'Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n'.encode())
        while b'\r\n\r\n' not in self._input:
            more = self.socket.recv(65536)
            assert more, f'closed in the handshake, behind {self._input!r}'
            self._input += more
        head, self._input = self._input.split(b'\r\n\r\n', 1)
        lines = head.decode().split('\r\n')
        assert lines[0].startswith('HTTP/1.1 101'), lines[0]
        for line in lines[1:]:
            name, value = line.split(': ', 1)
            if name.lower() == 'sec-websocket-protocol':
                self.subprotocol = value

    def send_frame(self, kind, payload, last=True):
        """`kind` 0: goes on with the message that was not the last."""
        size = len(payload)
        head = bytes([(128 if last else 0) | kind])
        if size < 126:
            head += bytes([128 | size])
        elif size < 65536:
            head += struct.pack('!BH', 128 | 126, size)
        else:
            head += struct.pack('!BQ', 128 | 127, size)
        mask = os.urandom(4)
        repeated = mask * (size // 4 + 1)
        masked = int.from_bytes(payload, 'big') ^ int.from_bytes(repeated[:size], 'big')
        self.socket.sendall(head + mask + masked.to_bytes(size, 'big'))

    def sendall(self, payload):
        self.send_frame(BINARY, payload)

    def recv(self, size):
        """b'': the broker has closed; `close_code` says why, if it did."""
        while not self._data:
            frame = self._read_frame()
            if frame is None:
                return b''
            kind, payload = frame
            if kind == CLOSE:
                self.close_code, = struct.unpack('!H', payload[:2])
                return b''
            if kind == PING:
                self.send_frame(PONG, payload)
            elif kind != PONG:
                self.kinds.add(kind)
                self._data += payload
        data, self._data = self._data[:size], self._data[size:]
        return data

    def close(self):
        """Without a word, as when the connection is lost."""
        self.socket.close()

    def _read_frame(self):
        head = self._take(2)
        if head is None:
            return None
        assert head[1] & 128 == 0, 'the server masks nothing'
        size = head[1]
        if size == 126:
            size, = struct.unpack('!H', self._take(2))
        elif size == 127:
            size, = struct.unpack('!Q', self._take(8))
        return head[0] & 15, self._take(size)

    def _take(self, size):
        while len(self._input) < size:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b''
            if not more:
                return None
            self._input += more
        taken, self._input = self._input[:size], self._input[size:]
        return taken
