#!/usr/bin/env python3
"""Advisories between protocols: what stomp.py and Paho read of them, and what the stock Java client
knows by them.

    advisories_test.py CLASSPATH [unittest arguments]
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import unittest
import xml.etree.ElementTree

import stomp

from broker import WAIT_SECONDS, Broker
from java_broker import steady_port

PREFIX = '/topic/ActiveMQ.Advisory.'
CLASSPATH = ''


class Inbox(stomp.ConnectionListener):
    def __init__(self):
        self.messages = queue.Queue()
        self.receipts = queue.Queue()
        self.errors = queue.Queue()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers['receipt-id'])

    def on_error(self, frame):
        self.errors.put(frame)


class Peer:
    """One connection of stomp.py."""

    def __init__(self, broker, client_id):
        self.inbox = Inbox()
        self.library = stomp.Connection12([('127.0.0.1', broker.ports['stomp'])],
                                          auto_content_length=False)
        self.library.set_listener('', self.inbox)
        self.library.connect('clerk', 'a secret', wait=True, headers={'client-id': client_id})

    def subscribe(self, destination, number='1', **headers):
        self.library.subscribe(destination, id=number, headers={'receipt': f's{number}', **headers})
        assert self.inbox.receipts.get(timeout=WAIT_SECONDS) == f's{number}'

    def send(self, destination, body, **headers):
        self.library.send(destination, body, headers={
            name.replace('_', '-'): value for name, value in headers.items()})

    def next(self, wanted=lambda frame: True):
        """The next message that is wanted; others are passed over."""
        while True:
            frame = self.inbox.messages.get(timeout=WAIT_SECONDS)
            if wanted(frame):
                return frame

    def close(self):
        self.library.disconnect()


def told(frame):
    """The one command that an advisory shows, by its name."""
    return json.loads(frame.body)


class AdvisoriesTest(unittest.TestCase):
    def setUp(self):
        self.port = steady_port()
        self.broker = self.enterContext(Broker(options={'openwire.port': self.port}))

    def peer(self, client_id):
        peer = Peer(self.broker, client_id)
        self.addCleanup(peer.close)
        return peer

    def test_connections_as_json_without_passwords(self):
        listener = self.peer('listener')
        listener.subscribe(PREFIX + 'Connection')
        Peer(self.broker, 'other').close()
        frame = listener.next(lambda f: told(f).get('ConnectionInfo', {}).get('clientId') == 'other')
        self.assertEqual(frame.headers['transformation'], 'jms-advisory-json')
        self.assertEqual(frame.headers['type'], 'Advisory')
        self.assertEqual(frame.headers['originBrokerName'], 'localhost')
        self.assertNotIn('a secret', frame.body + str(frame.headers))
        info = told(frame)['ConnectionInfo']
        self.assertEqual(info['userName'], 'clerk')
        self.assertTrue(info['clientIp'].startswith('tcp://127.0.0.1:'), info['clientIp'])
        gone = listener.next(lambda f: 'RemoveInfo' in told(f))
        self.assertEqual(told(gone)['RemoveInfo']['objectId'],
                         {'@class': 'ConnectionId', 'value': info['connectionId']['value']})

    def test_consumers_and_queues_in_xml_if_asked(self):
        listener = self.peer('listener')
        listener.subscribe(PREFIX + 'Consumer.Queue.orders', transformation='jms-xml')
        worker = self.peer('worker')
        worker.subscribe('/queue/orders', selector="kind = 'x'")
        frame = listener.next()
        self.assertEqual(frame.headers['transformation'], 'jms-advisory-xml')
        self.assertEqual(frame.headers['consumerCount'], '1')
        root = xml.etree.ElementTree.fromstring(frame.body)
        self.assertEqual(root.tag, 'ConsumerInfo')
        self.assertEqual(root.find('destination').get('class'), 'ActiveMQQueue')
        self.assertEqual(root.findtext('destination/string'), 'orders')
        self.assertIn("kind = 'x'", root.findtext('selector'))
        self.assertEqual(root.findtext('clientId'), 'worker')

    def test_what_was_there_before_is_told(self):
        worker = self.peer('worker')
        worker.subscribe('/queue/orders')
        worker.subscribe('/topic/prices', '2')
        listener = self.peer('listener')
        listener.subscribe(PREFIX + '>')
        places = set()
        while places != {('ActiveMQQueue', 'orders'), ('ActiveMQTopic', 'prices')}:
            info = told(listener.next(lambda f: 'DestinationInfo' in f.body))['DestinationInfo']
            self.assertEqual(info['operationType'], 0)
            places.add((info['destination']['@class'], info['destination']['string']))

    def test_expired_messages(self):
        listener = self.peer('listener')
        listener.subscribe(PREFIX + 'Expired.Queue.late')
        soon = str(int(time.time() * 1000) + 100)
        self.peer('sender').send('/queue/late', 'a body', expires=soon, persistent='true')
        frame = listener.next()
        message = told(frame)['ActiveMQTextMessage']
        self.assertEqual(message['destination']['string'], 'late')
        self.assertTrue(message['persistent'])
        self.assertIn(str(message['messageId']['producerSequenceId']),
                      frame.headers['orignalMessageId'])
        self.assertNotIn('a body', frame.body)

    def test_nobody_sends_them(self):
        for number, headers in enumerate(({}, {'receipt': 'r'})):
            forger = Peer(self.broker, f'forger{number}')
            forger.send(PREFIX + 'TempQueue', 'forged', **headers)
            error = forger.inbox.errors.get(timeout=WAIT_SECONDS)
            self.assertIn("advisories are the broker's", error.headers['message'])

    def test_a_java_client_answers_to_a_temporary_queue_of_stomp(self):
        with subprocess.Popen(
                ['java', '-cp', CLASSPATH, '-Xmx128m', 'Replier'], text=True,
                env={**os.environ, 'OPENWIRE_PORT': str(self.port)}, stdout=subprocess.PIPE) as java:
            watchdog = threading.Timer(WAIT_SECONDS * 2, java.kill)
            watchdog.start()
            try:
                self.assertEqual(java.stdout.readline(), 'ready\n')
                self.ask('early', 10)
                self.ask('late', 10)
                self.peer('ender').send('/queue/requests', 'stop')
                said = java.stdout.read().splitlines()
                self.assertEqual(java.wait(), 0)
            finally:
                watchdog.cancel()
                java.kill()
        self.assertEqual(len(said), 20)
        self.assertTrue(all(line.startswith('answered temp-queue://ID:pabal-') for line in said), said)

    def ask(self, name, times):
        """Each time by another temporary queue."""
        asker = self.peer(name)
        for number in range(times):
            asker.subscribe(f'/temp-queue/answers{number}', str(number))
            asker.send('/queue/requests', f'{name} {number}', reply_to=f'/temp-queue/answers{number}')
        answers = sorted(asker.next().body for _ in range(times))
        self.assertEqual(answers, sorted(f're: {name} {number}' for number in range(times)))

    def test_a_java_client_knows_that_a_temporary_queue_of_stomp_has_gone(self):
        with subprocess.Popen(
                ['java', '-cp', CLASSPATH, '-Xmx128m', 'Replier'], text=True,
                env={**os.environ, 'OPENWIRE_PORT': str(self.port)}, stdout=subprocess.PIPE) as java:
            watchdog = threading.Timer(WAIT_SECONDS * 2, java.kill)
            watchdog.start()
            try:
                self.assertEqual(java.stdout.readline(), 'ready\n')
                asker = self.peer('asker')
                asker.subscribe('/temp-queue/answers')
                asker.send('/queue/requests', 'one', reply_to='/temp-queue/answers')
                self.assertEqual(asker.next().body, 're: one')
                name = java.stdout.readline().split()[1].removeprefix('temp-queue://')
                listener = self.peer('listener')
                listener.subscribe(PREFIX + 'TempQueue')
                asker.close()
                listener.next(lambda f: told(f)['DestinationInfo']['operationType'] == 1)
                self.peer('other').send('/queue/requests', 'two',
                                        reply_to=f'/remote-temp-queue/{name}')
                refused = java.stdout.readline()
                self.assertTrue(refused.startswith(f'refused temp-queue://{name}'), refused)
                self.peer('ender').send('/queue/requests', 'stop')
                self.assertEqual(java.wait(), 0)
            finally:
                watchdog.cancel()
                java.kill()


class MqttAdvisoriesTest(unittest.TestCase):
    def setUp(self):
        self.broker = self.enterContext(Broker(options={'mqtt.port': 0}))

    def client(self, client_id, filter_, **options):
        import paho.mqtt.client as mqtt
        arrived, subscribed = queue.Queue(), threading.Event()
        made = mqtt.Client(client_id, **options)
        made.on_message = lambda _c, _u, message: arrived.put(message)
        made.on_subscribe = lambda *_: subscribed.set()
        made.connect('127.0.0.1', self.broker.ports['mqtt'])
        made.loop_start()
        self.addCleanup(made.loop_stop)
        self.addCleanup(made.disconnect)
        made.subscribe(filter_, 1)
        self.assertTrue(subscribed.wait(WAIT_SECONDS))
        return made, arrived

    def test_json_for_who_asks_for_it_by_name(self):
        for number, clean in enumerate((True, False)):
            _, arrived = self.client(f'listener{number}', 'ActiveMQ/Advisory/Connection',
                                     clean_session=clean)
            client_id = f'other{number}'
            other, everything = self.client(client_id, '#')
            while True:
                message = arrived.get(timeout=WAIT_SECONDS)
                info = json.loads(message.payload).get('ConnectionInfo', {})
                if info.get('clientId') == client_id:
                    break
            self.assertEqual(message.topic, 'ActiveMQ/Advisory/Connection')
            # What else it heard is not of the advisories: a marker is the first that it gets.
            other.publish('marker', 'x')
            while (message := everything.get(timeout=WAIT_SECONDS)).topic != 'marker':
                self.assertFalse(message.topic.startswith('ActiveMQ/'), message.topic)


if __name__ == '__main__':
    if len(sys.argv) > 1 and not sys.argv[1].startswith('-'):
        CLASSPATH = sys.argv.pop(1)
    unittest.main()
