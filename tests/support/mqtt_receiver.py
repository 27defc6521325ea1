"""A subscriber of MQTT 3.1.1 that keeps every promise of its side: with a session that is kept, and, at
QoS 2, with the packet ids it has taken and that are not released, over connections. It comes back by itself."""

import contextlib
import socket
import struct
import threading
import time


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack('!H', len(value)) + value


def packet(kind, body):
    size = len(body)
    length = b''
    while True:
        size, digit = size >> 7, size & 127
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


class Receiver:
    """`will`: (topic, payload, qos). `received`: (topic, payload) of each message that is new to it, at
    QoS 1 of each delivery."""

    def __init__(self, port, client_id, filters, qos, will=None, patience=60):
        self._port = port
        self._client_id = client_id
        self._filters = filters
        self._qos = qos
        self.will = will
        self._patience = patience
        self._taken = set()  # packet ids of QoS 2, until they are released
        self._subscribed = threading.Event()
        self._changed = threading.Condition()
        self._leaving = False
        self._socket = None
        self._thread = None
        self.failure = None
        self.received = []
        self.session_present = []
        self.duplicates = 0  # deliveries at QoS 2 that it had

    # --- for tests ---------------------------------------------------------------------------------

    def start(self):
        self._leaving = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._subscribed.wait(self._patience), f'{self._client_id} has not subscribed'
        return self

    def drop(self):
        """The connection is lost, and it comes back."""
        with contextlib.suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def leave(self, orderly=True):
        """It goes, and its session stays."""
        self._leaving = True
        if orderly:
            with contextlib.suppress(OSError, AttributeError):
                self._socket.sendall(b'\xe0\0')
        self.drop()
        self._thread.join(self._patience)
        assert not self._thread.is_alive()
        if self.failure:
            raise self.failure

    def wait_for(self, enough, what):
        with self._changed:
            if not self._changed.wait_for(lambda: self.failure or enough(self.received),
                                          self._patience):
                raise AssertionError(f'{self._client_id}, {what}: {len(self.received)} messages '
                                     f'after {self._patience} s')
        if self.failure:
            raise self.failure

    # --- its thread --------------------------------------------------------------------------------

    def _run(self):
        deadline = time.monotonic() + self._patience
        while not self._leaving:
            try:
                with socket.create_connection(('127.0.0.1', self._port),
                                              timeout=self._patience) as self._socket:
                    self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._converse()
            except OSError as error:
                if time.monotonic() > deadline and not self.received:
                    self._fail(error)
                    return
                time.sleep(0.01)
            except Exception as error:  # pylint: disable=broad-except
                self._fail(error)
                return

    def _fail(self, error):
        with self._changed:
            self.failure = error
            self._changed.notify_all()

    def _converse(self):
        # It was told to leave while this connection was opened: leave() shut the one before it.
        if self._leaving:
            return
        self._input = b''
        flags = 0
        payload = text(self._client_id)
        if self.will:
            topic, message, qos = self.will
            flags |= 4 | qos << 3
            payload += text(topic) + text(message)
        self._socket.sendall(packet(0x10, b'\0\4MQTT\4' + bytes([flags]) + b'\0\0' + payload))
        kind, body = self._read()
        assert kind == 0x20 and body[1] == 0, (kind, body)
        self.session_present.append(body[0] == 1)
        if not self._subscribed.is_set():
            filters = b''.join(text(each) + bytes([self._qos]) for each in self._filters)
            self._socket.sendall(packet(0x82, b'\0\1' + filters))
        while True:
            self._take(*self._read())

    def _read(self):
        while True:
            if len(self._input) >= 2:
                size = at = 0
                shift = 0
                for at in range(1, min(5, len(self._input))):
                    size |= (self._input[at] & 127) << shift
                    shift += 7
                    if self._input[at] < 128:
                        break
                if self._input[at] < 128 and len(self._input) >= at + 1 + size:
                    kind, body = self._input[0], self._input[at + 1:at + 1 + size]
                    self._input = self._input[at + 1 + size:]
                    return kind, body
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError('closed')
            self._input += more

    def _take(self, kind, body):
        if kind == 0x90:
            assert all(code == self._qos for code in body[2:]), body
            self._subscribed.set()
        elif kind == 0x62:
            self._taken.discard(body[:2])
            self._socket.sendall(b'\x70\2' + body[:2])
        elif kind >> 4 == 3:
            self._take_message(kind >> 1 & 3, body)
        else:
            raise AssertionError(f'packet {kind:#x}')

    def _take_message(self, qos, body):
        size, = struct.unpack('!H', body[:2])
        topic = body[2:2 + size].decode()
        packet_id = body[2 + size:4 + size] if qos else b''
        payload = body[2 + size + len(packet_id):].decode()
        if qos == 2 and packet_id in self._taken:
            self.duplicates += 1
        else:
            with self._changed:
                self.received.append((topic, payload))
                if qos == 2:
                    self._taken.add(packet_id)
                self._changed.notify_all()
        if qos:
            self._socket.sendall((b'\x40\2' if qos == 1 else b'\x50\2') + packet_id)


def retained(port, topic_filter, last_topic, patience=60):
    """What is retained: topic → payload, as a new subscriber gets it. `last_topic` is retained too and
    the last by name: they come in that order."""
    state = {}
    with socket.create_connection(('127.0.0.1', port), timeout=patience) as connection:
        reader = Receiver(port, '', [], 0)
        reader._socket, reader._input = connection, b''
        connection.sendall(packet(0x10, b'\0\4MQTT\4\2\0\0' + text('')))
        assert reader._read() == (0x20, b'\0\0')
        connection.sendall(packet(0x82, b'\0\1' + text(topic_filter) + b'\0'))
        assert reader._read()[0] == 0x90
        while last_topic not in state:
            kind, body = reader._read()
            assert kind == 0x31, hex(kind)
            size, = struct.unpack('!H', body[:2])
            state[body[2:2 + size].decode()] = body[2 + size:].decode()
    return state
