#!/usr/bin/env python3
"""50,000 messages that expire, most of them on disk only, in a queue and for a durable
subscription: nobody consumes, the broker is killed, and at their time they have gone from every
count, to the dead letters. What does not expire stays, in its order.
"""

import json
import os
import queue
import sys
import tempfile
import time
import unittest

import stomp

from broker import SOURCE_DIR, WAIT_SECONDS, Broker, run, wait_for

COUNT = 50_000
NEVER = 100  # every hundredth does not expire
QUEUE = '/queue/expiry.q'
TOPIC = '/topic/expiry.t'
# What a list, and all of them, may have in memory.
LIMITS = '<pabalLimits windowBytesMax="2mb" listWindowBytesMax="256kb"/>'


def configuration(directory):
    """The sample with small windows."""
    with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as sample:
        text = sample.read()
    end = '</transportConnectors>'
    assert text.count(end) == 1
    path = os.path.join(directory, 'pabal.xml')
    with open(path, 'w', encoding='utf-8') as out:
        out.write(text.replace(end, end + LIMITS))
    return path


class Inbox(stomp.ConnectionListener):
    def __init__(self):
        self.messages = queue.Queue()
        self.receipts = queue.Queue()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers['receipt-id'])


class Peer:
    """A stomp.py connection."""

    def __init__(self, broker, client_id=None):
        self.inbox = Inbox()
        self.library = stomp.Connection12([('127.0.0.1', broker.ports['stomp'])])
        self.library.set_listener('', self.inbox)
        headers = {'client-id': client_id} if client_id else {}
        self.library.connect(wait=True, headers=headers)
        self.receipts = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.library.disconnect()

    def fill(self, destination, expires, persistent='true'):
        """COUNT messages; `expires` says when each does, in ms since 1970, or None."""
        for number in range(COUNT):
            headers = {'persistent': persistent}
            at = expires(number)
            if at:
                headers['expires'] = str(at)
            last = number == COUNT - 1 or number % 1000 == 999
            if last:
                self.receipts += 1
                headers['receipt'] = f'r{self.receipts}'
            self.library.send(destination, str(number), headers=headers)
            if last:
                assert self.inbox.receipts.get(timeout=WAIT_SECONDS) == headers['receipt']

    def subscribe(self, destination, **headers):
        self.receipts += 1
        receipt = f'r{self.receipts}'
        self.library.subscribe(destination, id='s', ack='auto',
                               headers={'receipt': receipt, **headers})
        assert self.inbox.receipts.get(timeout=WAIT_SECONDS) == receipt

    def bodies(self, count):
        return [int(self.inbox.messages.get(timeout=WAIT_SECONDS).body) for _ in range(count)]


def command(broker, *words):
    done = run(*words, '--api', broker.http_url, '--json')
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def depth(broker, name):
    queues = command(broker, 'queue', 'list')
    queues = queues if isinstance(queues, list) else queues['queues']
    return next((each['depth'] for each in queues if each['name'] == name), 0)


def expires_at(number, at):
    """Within two seconds, not in the order in which they were sent."""
    return None if number % NEVER == 0 else at + number * 7919 % 2000


class ExpiryTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.broker = Broker(config=configuration(directory.name))
        self.addCleanup(self.broker.close)

    def _subscribe_and_leave(self):
        with Peer(self.broker, 'office') as office:
            office.subscribe(TOPIC, **{'activemq.subscriptionName': 'news'})

    def _backlog(self):
        """Depth of the durable subscription."""
        status = command(self.broker, 'status')
        return next(each['depth'] for each in status['durableSubscriptions'])

    def _left(self):
        return list(range(0, COUNT, NEVER))

    def test_they_leave_without_a_consumer_and_before_their_turn(self):
        with Peer(self.broker) as producer:
            at = int(time.time() * 1000) + 15_000
            producer.fill(QUEUE, lambda number: expires_at(number, at))
        kept = COUNT // NEVER
        wait_for(lambda: depth(self.broker, 'expiry.q') == kept, 'the queue to lose them', 180)
        self.assertGreaterEqual(int(time.time() * 1000), at + 1999, 'none is early')
        self.assertEqual(depth(self.broker, 'ActiveMQ.DLQ'), COUNT - kept)
        with Peer(self.broker) as consumer:
            consumer.subscribe(QUEUE)
            self.assertEqual(consumer.bodies(kept), self._left())

    def test_after_a_kill_they_leave_at_their_time(self):
        self._subscribe_and_leave()
        with Peer(self.broker) as producer:
            # Long enough to send them all on a loaded machine; else some leave before the kill,
            # which is as good.
            at = int(time.time() * 1000) + 30_000
            producer.fill(QUEUE, lambda number: expires_at(number, at))
            producer.fill(TOPIC, lambda number: expires_at(number, at))
        self.broker.kill()
        self.broker.start()
        kept = COUNT // NEVER
        wait_for(lambda: depth(self.broker, 'expiry.q') == kept, 'the queue to lose them', 180)
        self.assertGreaterEqual(int(time.time() * 1000), at + 1999, 'none is early')
        wait_for(lambda: self._backlog() == kept, 'the durable subscription to lose them', 180)
        # Once for the queue, once for the subscription.
        dead = 2 * (COUNT - kept)
        wait_for(lambda: depth(self.broker, 'ActiveMQ.DLQ') == dead, 'the dead letters', 180)
        engine = command(self.broker, 'status')['engine']
        self.assertEqual(engine['bytesHeld'], 0)
        # And nothing of it comes back.
        self.broker.kill()
        self.broker.start()
        self.assertEqual(depth(self.broker, 'expiry.q'), kept)
        self.assertEqual(self._backlog(), kept)
        self.assertEqual(depth(self.broker, 'ActiveMQ.DLQ'), dead)
        with Peer(self.broker) as consumer:
            consumer.subscribe(QUEUE)
            self.assertEqual(consumer.bodies(kept), self._left())
        with Peer(self.broker, 'office') as office:
            office.subscribe(TOPIC, **{'activemq.subscriptionName': 'news'})
            self.assertEqual(office.bodies(kept), self._left())
        with Peer(self.broker) as heir:
            heir.subscribe('/queue/ActiveMQ.DLQ')
            frame = heir.inbox.messages.get(timeout=WAIT_SECONDS)
            self.assertTrue(frame.headers['dlqDeliveryFailureCause'].startswith('expired at '))
            self.assertIn(frame.headers['original-destination'], (QUEUE, TOPIC))
            self.assertTrue(at <= int(frame.headers['originalExpiration']) < at + 2000)


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
