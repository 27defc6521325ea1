#!/usr/bin/env python3
"""MQTT over WebSocket through the running program, frame by frame: MQTT 5.0 §6, and that the limits of
MQTT hold there too."""

import os
import re
import socket
import struct
import tempfile
import unittest

from broker import SOURCE_DIR, Broker
from mqtt_peer import Peer
from mqtt_receiver import packet, text
from websocket import BINARY, TEXT, WebSocket

STOCK = os.path.join(SOURCE_DIR, 'conf', 'pabal.xml')
CONNECT = packet(0x10, text('MQTT') + b'\5\2\0\0\0' + text('half'))
UNSUPPORTED_DATA = 1003


class MqttWebSocket(unittest.TestCase):
    def broker(self, query=''):
        """`query`: options of the WebSocket connector."""
        path = STOCK
        if query:
            folder = tempfile.TemporaryDirectory(prefix='pabal-mqtt-web-')
            self.addCleanup(folder.cleanup)
            with open(STOCK, encoding='utf-8') as file:
                configuration, count = re.subn(r'(ws.port:61614\})', rf'\1?{query}', file.read(), count=1)
            assert count == 1
            path = os.path.join(folder.name, 'pabal.xml')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(configuration)
        broker = Broker(config=path, options={'ws.port': 0})
        self.addCleanup(broker.close)
        return broker

    def web(self, broker, offered='mqtt'):
        web = WebSocket(broker.ports['ws'], offered)
        self.addCleanup(web.close)
        return web

    def peer(self, broker, level=5):
        return Peer(self.web(broker), level)

    def test_the_server_selects_mqtt(self):
        broker = self.broker()
        for offered, chosen in (('mqtt', 'mqtt'), ('mqttv3.1', 'mqttv3.1'), ('v12.stomp, mqtt', 'mqtt'),
                                ('mqttv3.1,mqtt', 'mqtt'), ('v11.stomp, v12.stomp', 'v12.stomp')):
            self.assertEqual(self.web(broker, offered).subprotocol, chosen)

    def test_packets_and_frames_are_not_aligned(self):
        broker = self.broker()
        for level in (4, 5):
            with self.subTest(level=level):
                properties = b'\0' if level == 5 else b''
                web = self.web(broker)
                connect = packet(0x10, text('MQTT') + bytes([level, 2, 0, 0]) + properties +
                                 text(f'client-{level}'))
                subscribe = packet(0x82, b'\0\1' + properties + text('t') + b'\1')
                publish = packet(0x32, text('t') + b'\0\2' + properties + b'payload')
                stream = connect + subscribe + publish
                # Two packets and the beginning of a third; then a byte in each frame, of which some
                # belong to one message.
                cut = len(connect + subscribe) + 3
                web.send_frame(BINARY, stream[:cut])
                for at in range(cut, len(stream)):
                    web.send_frame(BINARY if (at - cut) % 3 == 0 else 0, stream[at:at + 1],
                                   last=(at - cut) % 3 == 2 or at + 1 == len(stream))
                peer = Peer(web, level)
                kinds = []
                while {0x20, 0x90, 0x40, 0x32} - set(kinds):
                    got = peer.read()
                    self.assertIsNotNone(got, f'closed behind {kinds}')
                    kinds.append(got[0])
                    if got[0] == 0x32:
                        self.assertEqual(got[1][-7:], b'payload')
                self.assertEqual(web.kinds, {BINARY})

    def test_text_frames_close(self):
        """What stands in them is not taken, and for others the connection is lost: a will is sent."""
        broker = self.broker()
        for level in (4, 5):
            with self.subTest(level=level):
                properties = b'\0' if level == 5 else b''
                listener = self.peer(broker)
                listener.connect(f'listener-{level}')
                listener.subscribe(f'{level}/#')
                web = self.web(broker)
                web.sendall(packet(0x10, text('MQTT') + bytes([level, 6, 0, 0]) + properties +
                                   text(f'client-{level}') + properties + text(f'{level}/will') +
                                   text('gone')))
                peer = Peer(web, level)
                self.assertEqual(peer.read()[0], 0x20)
                web.send_frame(TEXT, packet(0x30, text(f'{level}/text') + properties + b'text'))
                self.assertIsNone(peer.read())
                self.assertEqual(web.close_code, UNSUPPORTED_DATA)
                kind, body = listener.read()
                self.assertIn(f'{level}/will'.encode(), body)
                # As the first frame, too.
                web = self.web(broker)
                web.send_frame(TEXT, CONNECT)
                self.assertIsNone(Peer(web).read())

    def test_both_protocols_on_one_port(self):
        broker = self.broker()
        stomp = self.web(broker, 'v12.stomp')
        stomp.send_frame(TEXT, b'CONNECT\naccept-version:1.2\nhost:h\n\n\0')
        answer = b''
        while b'\0' not in answer:
            answer += stomp.recv(65536)
        self.assertTrue(answer.startswith(b'CONNECTED'), answer)
        stomp.send_frame(TEXT, b'SUBSCRIBE\nid:1\ndestination:/topic/both\nreceipt:r\n\n\0')
        while b'receipt-id:r' not in answer:
            answer += stomp.recv(65536)
        mqtt = self.peer(broker)
        mqtt.connect('mqtt')
        mqtt.subscribe('both')
        mqtt.publish('both', b'from mqtt')
        self.assertIn(b'from mqtt', mqtt.read()[1])
        while b'from mqtt' not in answer:
            answer += stomp.recv(65536)
        stomp.send_frame(TEXT, b'SEND\ndestination:/topic/both\n\nfrom stomp\0')
        self.assertIn(b'from stomp', mqtt.read()[1])
        self.assertEqual((stomp.kinds, mqtt.socket.kinds), ({TEXT}, {BINARY}))

    def test_who_never_sends_connect(self):
        broker = self.broker('transport.connectAttemptTimeout=300')
        connected = self.peer(broker)
        connected.connect('connected')
        silent = self.peer(broker)
        half = self.web(broker)
        half.sendall(CONNECT[:-1])
        no_handshake = socket.create_connection(('127.0.0.1', broker.ports['ws']), timeout=60)
        self.addCleanup(no_handshake.close)
        no_handshake.sendall(b'GET / HTTP/1.1\r\n')
        self.assertIsNone(silent.read())
        self.assertIsNone(Peer(half).read())
        with self.subTest('in the handshake'):
            while no_handshake.recv(65536):
                pass
        connected.ping()

    def test_limits(self):
        broker = self.broker('transport.maxFrameSize=5000&amp;transport.defaultKeepAlive=1000')
        peer = self.peer(broker)
        self.assertIn(b'\x27' + struct.pack('!I', 5000), peer.connect('large', keep_alive=60))
        peer.subscribe('t')
        # Any number of packets in one message, and none that is too large.
        one = packet(0x30, text('t') + b'\0' + b'x' * 1000)
        peer.socket.sendall(one * 1000)
        for _ in range(1000):
            self.assertEqual(peer.read()[0], 0x30)
        peer.publish('t', b'x' * 5000)
        self.assertEqual(peer.read()[1][:1], b'\x95')
        self.assertIsNone(peer.read())
        silent = self.peer(broker)
        self.assertIn(b'\x13\0\1', silent.connect('silent'))
        self.assertEqual(silent.read()[1][:1], b'\x8d')
        self.assertIsNone(silent.read())

    def test_who_does_not_read_costs_little(self):
        """Deliveries wait where they are, and not in the broker's memory for the connection."""
        broker = self.broker()
        listener = self.peer(broker)
        listener.connect('listener')
        listener.subscribe('t', 1)
        producer = self.peer(broker)
        producer.connect('producer')
        before = broker.resident_bytes()
        count = 300
        for number in range(1, count + 1):
            producer.publish('t', b'x' * 100_000, 1, number)
            self.assertEqual(producer.read()[0], 0x40)
        # 30 MB were sent; they may be in memory once, for one subscription. A sanitizer takes several
        # times as much.
        if not os.environ.get('PABAL_SANITIZE'):
            self.assertLess(broker.resident_bytes() - before, 75 << 20)
        for number in range(1, count + 1):
            kind, body = listener.read()
            self.assertEqual(kind & 0xf6, 0x32)
            listener.send(0x40, body[3:5])
            self.assertEqual(len(body), 2 + 1 + 2 + 1 + 100_000)

    def test_sys_topics(self):
        broker = self.broker()
        peer = self.peer(broker)
        peer.connect('watch')
        peer.subscribe('$SYS/broker/version')
        self.assertIn(b'Pabal', peer.read()[1])


if __name__ == '__main__':
    unittest.main(verbosity=2)
