#!/usr/bin/env python3
"""200 MB of non-persistent messages in a broker that may hold 16: they go to disk while nobody
consumes, come back in order, and are gone after kill -9, which the persistent ones survive.
"""

import os
import queue
import sys
import tempfile
import threading
import unittest

import stomp

from broker import SOURCE_DIR, WAIT_SECONDS, Broker, wait_for

MEGABYTE = 1 << 20
SIZE = 10_000
COUNT = 20_000
USAGE = """
    <systemUsage><systemUsage>
      <memoryUsage><memoryUsage limit="16mb"/></memoryUsage>
      <storeUsage><storeUsage limit="10gb"/></storeUsage>
      <tempUsage><tempUsage limit="{temp}"/></tempUsage>
    </systemUsage></systemUsage>
"""


def configuration(directory, temp='5gb'):
    """The sample with a small memory."""
    with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as sample:
        text = sample.read()
    end = '</transportConnectors>'
    assert text.count(end) == 1
    path = os.path.join(directory, f'pabal-{temp}.xml')
    with open(path, 'w', encoding='utf-8') as out:
        out.write(text.replace(end, end + USAGE.format(temp=temp)))
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
    def __init__(self, broker):
        self.inbox = Inbox()
        self.library = stomp.Connection12([('127.0.0.1', broker.ports['stomp'])])
        self.library.set_listener('', self.inbox)
        self.library.connect(wait=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.library.disconnect()

    def send(self, number, persistent, receipt=False):
        headers = {'persistent': 'true'} if persistent else {}
        if receipt:
            headers['receipt'] = f'r{number}'
        body = b'%019d ' % number + b'.' * (SIZE - 20)
        self.library.send('/queue/spill', body, headers=headers)
        if receipt:
            assert self.inbox.receipts.get(timeout=WAIT_SECONDS) == f'r{number}'

    def numbers(self, count):
        """Consumes so many; what they are numbered."""
        self.library.subscribe('/queue/spill', id='s', ack='client',
                               headers={'activemq.prefetchSize': '100'})
        found = []
        while len(found) < count:
            frame = self.inbox.messages.get(timeout=WAIT_SECONDS)
            found.append(int(frame.body[:19]))
            if len(found) % 50 == 0 or len(found) == count:
                self.library.ack(frame.headers['ack'], receipt=f'a{len(found)}')
                assert self.inbox.receipts.get(timeout=WAIT_SECONDS) == f'a{len(found)}'
        return found


class SpillTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def _fill(self, broker):
        """Every hundredth persistent, with a receipt: that it is safe, and because stomp.py has no
        back-pressure."""
        with Peer(broker) as producer:
            most = 0
            for number in range(COUNT):
                producer.send(number, number % 100 == 99, number % 100 == 99)
                if number % 1000 == 0:
                    most = max(most, broker.resident_bytes())
        return max(most, broker.resident_bytes())

    def test_they_come_back_in_order_and_memory_is_bounded(self):
        with Broker(config=configuration(self.directory)) as broker:
            most = self._fill(broker)
            engine = broker.get_json('/api/status')['engine']
            print(f'{engine["bytesSpilled"] // MEGABYTE} MB spilled, {engine["bytesHeld"] // MEGABYTE}'
                  f' MB held, {most // MEGABYTE} MB resident at most')
            self.assertGreater(engine['bytesSpilled'], 170 * MEGABYTE)
            self.assertLessEqual(engine['bytesHeld'], 16 * MEGABYTE)
            with Peer(broker) as consumer:
                self.assertEqual(consumer.numbers(COUNT), list(range(COUNT)))
            self.assertLess(max(most, broker.resident_bytes()), 160 * MEGABYTE)
            engine = broker.get_json('/api/status')['engine']
            self.assertEqual((engine['bytesSpilled'], engine['bytesHeld']), (0, 0))

    def test_a_kill_leaves_the_persistent_ones_and_nothing_else(self):
        with Broker(config=configuration(self.directory)) as broker:
            self._fill(broker)
            broker.kill()
            broker.start()
            persistent = list(range(99, COUNT, 100))
            with Peer(broker) as consumer:
                self.assertEqual(consumer.numbers(len(persistent)), persistent)
            # What was spilled before goes from the disk too, in the background.
            wait_for(lambda: broker.get_json('/api/status')['store']['bytesLive'] == 0,
                     'an empty store')

    def test_over_the_limit_the_producer_waits_until_somebody_consumes(self):
        with Broker(config=configuration(self.directory, temp='32mb')) as broker:
            with Peer(broker) as producer, Peer(broker) as consumer:
                count = 10_000  # 100 MB, where 16 + 32 have room
                sender = threading.Thread(
                    target=lambda: [producer.send(number, False) for number in range(count)])
                sender.start()
                wait_for(lambda: broker.get_json('/api/status')['engine']['connectionsParked'] == 1,
                         'the producer to be held')
                engine = broker.get_json('/api/status')['engine']
                self.assertLessEqual(engine['bytesSpilled'], 32 * MEGABYTE)
                self.assertEqual(consumer.numbers(count), list(range(count)))
                sender.join(WAIT_SECONDS)
                self.assertFalse(sender.is_alive())


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
