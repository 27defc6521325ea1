#!/usr/bin/env python3
"""Paho Python (Debian's python3-paho-mqtt) against the running program: sessions that are kept, while
the broker is killed again and again under both ends of the conversation. The other end is our own,
because Paho is no exact sender (mqtt_sender.py)."""

import random
import threading
import unittest

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import WAIT_SECONDS, Broker
from mqtt_sender import Sender

MESSAGES = 1500
KILLS = 6
SEED = 20_261_121


class Client:
    """One Paho client with a thread of its own, which connects again by itself."""

    def __init__(self, broker, client_id, version, clean=False, transport='tcp'):
        self.version = version
        options = {} if version == paho.MQTTv5 else {'clean_session': clean}
        self.library = paho.Client(client_id=client_id, protocol=version, transport=transport,
                                   **options)
        self.library.reconnect_delay_set(0.02, 0.2)
        self.library.max_queued_messages_set(0)
        self.connected = threading.Event()
        self.subscribed = threading.Event()
        self.received = []
        self.present = []
        self.changed = threading.Condition()
        self.library.on_connect = self._on_connect
        self.library.on_message = self._on_message
        self.library.on_subscribe = lambda *_: self.subscribed.set()
        options = {}
        if version == paho.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 0 if clean else 3600
            options = {'clean_start': clean, 'properties': properties}
        port = broker.ports['ws' if transport == 'websockets' else 'mqtt']
        self.library.connect('127.0.0.1', port, keepalive=60, **options)
        self.library.loop_start()
        assert self.connected.wait(WAIT_SECONDS), 'not connected'

    def _on_connect(self, _client, _data, flags, _reason, *_):
        self.present.append(flags['session present'])
        self.connected.set()

    def _on_message(self, _client, _data, message):
        with self.changed:
            self.received.append(int(message.payload))
            self.changed.notify_all()

    def subscribe(self, topic, qos):
        self.subscribed.clear()
        self.library.subscribe(topic, qos)
        assert self.subscribed.wait(WAIT_SECONDS), 'not subscribed'

    def wait_for(self, enough, what):
        with self.changed:
            if not self.changed.wait_for(lambda: enough(self.received), WAIT_SECONDS):
                raise AssertionError(f'{what}: {len(self.received)} messages after '
                                     f'{WAIT_SECONDS} s')

    def close(self):
        self.library.disconnect()
        self.library.loop_stop()


class PahoTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker(options={'mqtt.port': 0, 'ws.port': 0})
        self.addCleanup(self.broker.close)
        # Clients come back to where they were.
        for name in ('mqtt', 'ws'):
            self.broker.options[f'{name}.port'] = self.broker.ports[name]

    def kill_and_start(self):
        self.broker.kill()
        self.broker.start()

    def client(self, *arguments, **options):
        client = Client(self.broker, *arguments, **options)
        self.addCleanup(client.close)
        return client

    def converse(self, version, qos, name, transport='tcp'):
        """A conversation across kills; what came, in its order."""
        dice = random.Random(SEED + qos)
        sender = Sender(self.broker.ports['mqtt'], f'sender-{name}')
        self.addCleanup(sender.close)
        receiver = self.client(f'receiver-{name}', version, transport=transport)
        receiver.subscribe(f'{name}/#', qos)
        kills = set(dice.sample(range(1, MESSAGES), KILLS))
        for number in range(MESSAGES):
            sender.publish(f'{name}/x', str(number), qos)
            if number in kills:
                self.kill_and_start()
        sender.finish()
        receiver.wait_for(lambda got: len(set(got)) >= MESSAGES, 'at the end')
        # Behind a last message of the same kind nothing can still be on its way.
        sender.publish(f'{name}/x', str(MESSAGES), qos)
        sender.finish()
        receiver.wait_for(lambda got: MESSAGES in got, 'the last one')
        self.assertTrue(all(sender.session_present[1:]))
        self.assertGreater(len(receiver.present), 1, 'it was never away')
        self.assertTrue(all(receiver.present[1:]), 'the session was there each time')
        return receiver.received

    def test_qos_2_is_exactly_once(self):
        for version, name in ((paho.MQTTv311, 'four'), (paho.MQTTv5, 'five')):
            with self.subTest(version=name):
                received = self.converse(version, 2, name)
                self.assertEqual(received, list(range(MESSAGES + 1)))

    def test_over_websocket(self):
        for version, name in ((paho.MQTTv311, 'four'), (paho.MQTTv5, 'five')):
            with self.subTest(version=name):
                received = self.converse(version, 2, name, transport='websockets')
                self.assertEqual(received, list(range(MESSAGES + 1)))

    def test_qos_1_is_at_least_once(self):
        received = self.converse(paho.MQTTv311, 1, 'four')
        self.assertEqual(sorted(set(received)), list(range(MESSAGES + 1)))

    def test_a_client_that_is_away(self):
        receiver = Client(self.broker, 'away', paho.MQTTv5)
        receiver.subscribe('away/#', 2)
        receiver.close()
        sender = self.client('sender', paho.MQTTv5, clean=True)
        for number in range(500):
            sender.library.publish('away/x', str(number), 1 + number % 2)
        self.assertTrue(all(info.is_published() or info.wait_for_publish(WAIT_SECONDS) is None
                            for info in [sender.library.publish('away/x', '500', 2)]))
        self.kill_and_start()
        receiver = self.client('away', paho.MQTTv5)
        receiver.wait_for(lambda got: len(got) >= 501, 'what was kept')
        self.assertEqual(sorted(receiver.received), list(range(501)))


if __name__ == '__main__':
    unittest.main(verbosity=2)
