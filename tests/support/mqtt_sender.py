"""A publisher of MQTT 3.1.1 that keeps every promise of its side: with a session that is kept, in order,
and again after a lost connection just what has to be sent again. (Paho Python 1.6 turns a PUBREL that it
has to repeat into a PUBLISH when it does not get through at its first attempt.)"""

import collections
import socket
import struct
import time


class Sender:
    def __init__(self, port, client_id, window=50, patience=60):
        self._port = port
        self._client_id = client_id.encode()
        self._window = window
        self._patience = patience
        self._waiting = collections.OrderedDict()  # packet id → [topic, payload, qos, released, retain]
        self._last_id = 0
        self._socket = None
        self._input = b''
        self.session_present = []
        self._connect()

    # --- for tests ---------------------------------------------------------------------------------

    def publish(self, topic, payload, qos, retain=False):
        """Returns when it is on its way, and at most `window` are."""
        while len(self._waiting) >= self._window:
            self._work()
        self._last_id = self._last_id % 65535 + 1
        self._waiting[self._last_id] = [topic.encode(), payload.encode(), qos, False, retain]
        self._send(self._publish_packet(self._last_id, False))

    def finish(self):
        """Returns when everything is answered."""
        while self._waiting:
            self._work()

    def close(self):
        self._socket.close()

    # --- connections -------------------------------------------------------------------------------

    def _connect(self):
        deadline = time.monotonic() + self._patience
        body = b'\0\4MQTT\4\0\0\0' + struct.pack('!H', len(self._client_id)) + self._client_id
        while True:
            try:
                self._socket = socket.create_connection(('127.0.0.1', self._port), timeout=self._patience)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._input = b''
                self._socket.sendall(b'\x10' + bytes([len(body)]) + body)
                kind, answer = self._read()
                break
            except OSError:
                if self._socket is not None:
                    self._socket.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        assert kind == 0x20 and answer[1] == 0, (kind, answer)
        self.session_present.append(answer[0] == 1)

    def _resume(self):
        self._socket.close()
        while True:
            self._connect()
            try:
                for packet_id, (_, _, _, released, _) in self._waiting.items():
                    self._socket.sendall(self._pubrel_packet(packet_id) if released
                                         else self._publish_packet(packet_id, True))
                return
            except OSError:
                self._socket.close()

    def _send(self, packet):
        try:
            self._socket.sendall(packet)
        except OSError:
            self._resume()

    def _publish_packet(self, packet_id, dup):
        topic, payload, qos, _, retain = self._waiting[packet_id]
        body = struct.pack('!H', len(topic)) + topic + struct.pack('!H', packet_id) + payload
        assert len(body) < 128
        return bytes([0x30 | qos << 1 | (8 if dup else 0) | retain, len(body)]) + body

    @staticmethod
    def _pubrel_packet(packet_id):
        return b'\x62\x02' + struct.pack('!H', packet_id)

    def _read(self):
        """One packet; all that come are short."""
        while len(self._input) < 2 or len(self._input) < 2 + self._input[1]:
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError('closed')
            self._input += more
        size = 2 + self._input[1]
        packet, self._input = self._input[:size], self._input[size:]
        return packet[0], packet[2:]

    def _work(self):
        """Takes one answer."""
        try:
            kind, body = self._read()
        except OSError:
            self._resume()
            return
        packet_id, = struct.unpack('!H', body[:2])
        if kind in (0x40, 0x70):
            self._waiting.pop(packet_id, None)
        elif kind == 0x50:
            if packet_id in self._waiting:
                self._waiting[packet_id][3] = True
            self._send(self._pubrel_packet(packet_id))
        else:
            raise AssertionError(f'packet {kind:#x}')
