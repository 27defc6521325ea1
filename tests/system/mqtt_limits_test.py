#!/usr/bin/env python3
"""MQTT through the running program where time and room matter: clients that are silent, publishes that
wait for room, the $SYS topics."""

import contextlib
import os
import re
import struct
import tempfile
import time
import unittest

from broker import SOURCE_DIR, Broker, wait_for
from mqtt_peer import Peer
from mqtt_receiver import packet, text

STOCK = os.path.join(SOURCE_DIR, 'conf', 'pabal.xml')
SMALL = ('<destinationPolicy><policyMap><policyEntries>'
         '<policyEntry queue="small" pabalStoreLimit="10kb"/>'
         '</policyEntries></policyMap></destinationPolicy>')
LITTLE_MEMORY = ('<systemUsage><systemUsage><memoryUsage><memoryUsage limit="256kb"/></memoryUsage>'
                 '<storeUsage><storeUsage limit="1gb"/></storeUsage>'
                 '<tempUsage><tempUsage limit="0"/></tempUsage></systemUsage></systemUsage>')


class MqttLimits(unittest.TestCase):
    def broker(self, *changes, content=''):
        """`changes`: (regular expression, replacement) in the stock configuration."""
        folder = tempfile.TemporaryDirectory(prefix='pabal-mqtt-')
        self.addCleanup(folder.cleanup)
        with open(STOCK, encoding='utf-8') as file:
            configuration = file.read()
        for pattern, replacement in changes:
            configuration, count = re.subn(pattern, replacement, configuration, count=1)
            assert count == 1, pattern
        configuration = configuration.replace('</broker>', content + '</broker>')
        path = os.path.join(folder.name, 'pabal.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(configuration)
        broker = Broker(config=path, options={'mqtt.port': 0})
        self.addCleanup(broker.close)
        return broker

    def peer(self, broker, level=5):
        peer = Peer(broker.ports['mqtt'], level)
        self.addCleanup(peer.close)
        return peer

    def test_silent_clients(self):
        broker = self.broker()
        others = self.peer(broker)
        others.connect('no-keep-alive')
        for level in (4, 5):
            peer = self.peer(broker, level)
            peer.connect('silent', keep_alive=1)
            if level == 5:
                self.assertEqual(peer.read()[1][:1], b'\x8d')
            self.assertIsNone(peer.read())
        others.ping()

    def test_who_never_sends_connect(self):
        broker = self.broker((r'(mqtt.port:1883\})', r'\1?transport.connectAttemptTimeout=300'))
        connected = self.peer(broker)
        connected.connect('connected')
        silent = self.peer(broker)
        half = self.peer(broker)
        half.socket.sendall(b'\x10\x20\0\4MQ')
        self.assertIsNone(silent.read())
        self.assertIsNone(half.read())
        connected.ping()

    def test_server_keep_alive(self):
        broker = self.broker((r'keepAliveMax="0"', 'keepAliveMax="1"'))
        peer = self.peer(broker)
        self.assertIn(b'\x13\0\1', peer.connect('silent', keep_alive=600))
        self.assertEqual(peer.read()[1][:1], b'\x8d')
        self.assertIsNone(peer.read())

    def others_go_on(self, broker, seconds, meanwhile):
        """For so long, while somebody's publishes wait."""
        other = self.peer(broker)
        other.connect('other')
        other.subscribe('elsewhere')
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            other.publish('elsewhere', b'x')
            self.assertEqual(other.read()[0], 0x30)
            meanwhile()
            time.sleep(0.05)

    def blocked(self, broker):
        return broker.get_json('/api/status')['blockedProducers']

    def drain(self, broker, messages):
        with broker.connect() as consumer:
            consumer.subscribe('/queue/small')
            for _ in range(messages):
                consumer.expect('MESSAGE')

    def test_publishes_wait_for_room(self):
        """They are answered when there is room, and in their order; PINGREQ is answered meanwhile."""
        for level in (4, 5):
            with self.subTest(level=level):
                broker = self.broker(content=SMALL)
                producer = self.peer(broker, level)
                producer.connect('producer', keep_alive=1)
                for number in range(1, 31):
                    producer.publish('$queue/small', b'x' * 1000, 1 + number % 2, number)
                wait_for(lambda: self.blocked(broker), 'a blocked producer')
                answers = []
                producer.send(0xc0, b'')
                while not answers or answers[-1][0] != 0xd0:
                    answers.append(producer.read())
                self.assertLess(len(answers), 15)
                # For longer than one and a half times its keep alive of 1 s.
                self.others_go_on(broker, 2, producer.ping)
                self.assertTrue(self.blocked(broker))
                self.drain(broker, 30)
                while len(answers) < 31:
                    answers.append(producer.read())
                    self.assertIsNotNone(answers[-1], 'closed')
                answers = [(kind, struct.unpack('!H', body[:2])[0]) for kind, body in answers
                           if kind != 0xd0]
                self.assertEqual(answers, [(0x50 if number % 2 else 0x40, number)
                                           for number in range(1, 31)])

    def test_qos_0_to_a_queue_waits_for_memory(self):
        """A non-persistent message of a queue: its producer is held by memoryUsage (there is no disk for it
        here) as any other. 1 MB of sends waits in the broker, the rest with the client."""
        broker = self.broker(content=LITTLE_MEMORY)
        producer = self.peer(broker)
        producer.connect('producer')
        producer.socket.setblocking(False)
        messages = 6_000
        stream = memoryview(b''.join(
            packet(0x30, text('$queue/small') + b'\0' + struct.pack('!I', number) + b'x' * 4000)
            for number in range(messages)))
        sent = 0

        def send_some():
            nonlocal sent
            with contextlib.suppress(BlockingIOError):
                while sent < len(stream):
                    sent += producer.socket.send(stream[sent:])

        def blocked():
            send_some()
            return [each for each in self.blocked(broker) if each['bytes'] >= 1 << 20]
        wait_for(blocked, 'a producer that is not read')
        self.assertIn('memoryUsage', self.blocked(broker)[0]['reason'])
        other = self.peer(broker)
        other.connect('other')
        for _ in range(20):
            send_some()
            other.ping()
        self.assertLess(sent, len(stream))
        engine = broker.get_json('/api/status')['engine']
        self.assertLessEqual(engine['bytesHeld'], 256 << 10)
        with broker.connect() as consumer:
            consumer.subscribe('/queue/small')
            for number in range(messages):
                send_some()
                got = consumer.expect('MESSAGE')
                self.assertEqual(struct.unpack('!I', got.body[:4])[0], number)
        self.assertEqual(broker.get_json('/api/status')['engine']['totals']['dropped'], 0)

    def test_who_leaves_while_its_messages_wait(self):
        """QoS 0 promises nothing; but what is dropped is counted, and stands in the log."""
        broker = self.broker(content=LITTLE_MEMORY)
        for leave in ('disconnect', 'lost'):
            with self.subTest(leave):
                before = self.totals(broker)
                producer = self.peer(broker)
                producer.connect(f'producer-{leave}')
                for _ in range(100):
                    producer.publish('$queue/small', b'x' * 4000)
                wait_for(lambda: self.blocked(broker), 'a blocked producer')
                if leave == 'disconnect':
                    producer.send(0xe0, b'')
                producer.close()
                wait_for(lambda: not self.blocked(broker), 'its end')
                after = self.totals(broker)
                taken = after['enqueued'] - before['enqueued']
                self.assertEqual(taken + after['dropped'] - before['dropped'], 100)
                self.assertRegex(broker.log_tail(), rf'warn .*dropped.*producer-{leave}.*memoryUsage')

    def test_what_is_refused_at_qos_0_is_counted(self):
        broker = self.broker(content=LITTLE_MEMORY.replace(
            '<systemUsage><systemUsage>', '<systemUsage><systemUsage sendFailIfNoSpace="true">'))
        producer = self.peer(broker)
        producer.connect('producer')
        for _ in range(100):
            producer.publish('$queue/small', b'x' * 4000)
        producer.ping()
        totals = self.totals(broker)
        self.assertGreater(totals['dropped'], 30)
        self.assertEqual(totals['enqueued'] + totals['dropped'], 100)

    def totals(self, broker):
        """Of messages of clients, not those of $SYS."""
        status = broker.get_json('/api/status')
        queue = next((each for each in status['destinations']
                      if each['destination'] == 'queue://small'), None)
        return {'enqueued': queue['counters']['enqueued'] if queue else 0,
                'dropped': status['engine']['totals']['dropped']}

    def test_who_is_not_read_is_not_silent(self):
        """More waits than a connection may have waiting (1 MB): it is read no more until there is room.
        Its pings stay where they are, and that is not its fault."""
        broker = self.broker(content=SMALL)
        producer = self.peer(broker)
        producer.connect('producer', keep_alive=1)
        messages = 150
        for number in range(1, messages + 1):
            producer.publish('$queue/small', b'x' * 9000, 1, number)
        producer.send(0xc0, b'')
        wait_for(lambda: self.blocked(broker), 'a blocked producer')
        self.others_go_on(broker, 3, lambda: None)
        self.assertTrue(self.blocked(broker))
        self.drain(broker, messages)
        answers = 0
        pings = 0
        while answers < messages or pings == 0:
            got = producer.read()
            self.assertIsNotNone(got, 'closed')
            answers += got[0] == 0x40
            pings += got[0] == 0xd0
        producer.ping()

    def test_sys_topics(self):
        broker = self.broker((r'sysInterval="10"', 'sysInterval="1"'))
        everything = self.peer(broker)
        everything.connect('everything')
        everything.subscribe('#')
        peer = self.peer(broker)
        peer.connect('watch')
        peer.subscribe('$SYS/broker/#')
        values = {}
        changed = set()
        while '$SYS/broker/version' not in values or '$SYS/broker/uptime' not in changed:
            kind, body = peer.read()
            size, = struct.unpack('!H', body[:2])
            topic, value = body[2:2 + size].decode(), body[3 + size:]  # one byte: no properties
            if topic in values:
                changed.add(topic)
                self.assertEqual(kind, 0x30)  # live
            values[topic] = value.decode()
        self.assertRegex(values['$SYS/broker/version'], r'^Pabal \d')
        self.assertRegex(values['$SYS/broker/uptime'], r'^\d+ seconds$')
        self.assertIn('$SYS/broker/clients/connected', values)
        self.assertGreaterEqual(len(values), 14)
        everything.publish('plain', b'x')
        self.assertIn(b'plain', everything.read()[1])  # the first that it gets

    def test_no_sys_topics(self):
        broker = self.broker((r'sysInterval="10"', 'sysInterval="0"'))
        peer = self.peer(broker)
        peer.connect('watch')
        peer.subscribe('$SYS/#')
        peer.subscribe('plain')
        peer.publish('plain', b'x')
        self.assertIn(b'plain', peer.read()[1])


if __name__ == '__main__':
    unittest.main(verbosity=2)
