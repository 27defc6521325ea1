"""A client of MQTT 3.1.1 or 5.0, packet by packet."""

import re
import socket
import struct

from mqtt_receiver import packet, text


class Peer:
    """`port`: of TCP, or a stream (sendall, recv, close)."""

    def __init__(self, port, level=5):
        self.level = level
        self.socket = (socket.create_connection(('127.0.0.1', port), timeout=60)
                       if isinstance(port, int) else port)
        self._input = b''

    def send(self, kind, body):
        self.socket.sendall(packet(kind, body))

    def connect(self, client_id, keep_alive=0):
        properties = b'\0' if self.level == 5 else b''
        self.send(0x10, text('MQTT') + bytes([self.level, 2]) + struct.pack('!H', keep_alive) +
                  properties + text(client_id))
        kind, body = self.read()
        assert kind == 0x20 and body[1] == 0, body
        return body

    def subscribe(self, topic_filter, qos=0):
        properties = b'\0' if self.level == 5 else b''
        self.send(0x82, b'\0\1' + properties + text(topic_filter) + bytes([qos]))
        assert self.read()[0] == 0x90

    def publish(self, topic, payload, qos=0, packet_id=0):
        properties = b'\0' if self.level == 5 else b''
        number = struct.pack('!H', packet_id) if qos else b''
        self.send(0x30 | qos << 1, text(topic) + number + properties + payload)

    def ping(self):
        self.send(0xc0, b'')
        assert self.read()[0] == 0xd0

    def read(self):
        """(kind, body), or None: the broker has closed."""
        while True:
            match = re.match(rb'(?s).([\x80-\xff]{0,3}[\x00-\x7f])', self._input)
            if match:
                size = sum((digit & 127) << 7 * place for place, digit in enumerate(match[1]))
                end = match.end() + size
                if len(self._input) >= end:
                    body, kind = self._input[match.end():end], self._input[0]
                    self._input = self._input[end:]
                    return kind, body
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b''
            if not more:
                return None
            self._input += more

    def close(self):
        self.socket.close()
