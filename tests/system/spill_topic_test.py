#!/usr/bin/env python3
"""100 MB of non-persistent messages for durable subscribers that are away, in a broker that may hold
16: they go to disk once, each subscriber gets all of them in order when it is back, and after
kill -9 the persistent ones are there and nothing else.
"""

import json
import os
import queue
import sys
import tempfile
import unittest

import stomp

from broker import WAIT_SECONDS, Broker, run, wait_for
from spill_test import MEGABYTE, SIZE, Inbox, configuration

COUNT = 10_000
EVERY = 50  # one in so many is persistent
TOPIC = '/topic/news'
AWAY = ('away-1', 'away-2', 'away-3')
PERSISTENT = list(range(EVERY - 1, COUNT, EVERY))


class Office:
    """A client with an id, which may have a durable subscription to the topic."""

    def __init__(self, broker, client_id=None):
        self.inbox = Inbox()
        self.library = stomp.Connection12([('127.0.0.1', broker.ports['stomp'])])
        self.library.set_listener('', self.inbox)
        self.library.connect(wait=True, headers={'client-id': client_id} if client_id else {})

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.library.disconnect()

    def receipt(self, wanted):
        assert self.inbox.receipts.get(timeout=WAIT_SECONDS) == wanted

    def subscribe(self):
        self.library.subscribe(TOPIC, id='s', ack='client', headers={
            'activemq.subscriptionName': 'daily', 'activemq.prefetchSize': '100',
            'receipt': 'subscribed'})
        self.receipt('subscribed')

    def send_all(self, meanwhile=lambda number: None):
        """Every persistent one with a receipt: that it is safe, and because stomp.py has no
        back-pressure. Who was held for ever would not get the next one."""
        for number in range(COUNT):
            persistent = number % EVERY == EVERY - 1
            headers = {'persistent': 'true', 'receipt': f'r{number}'} if persistent else {}
            self.library.send(TOPIC, b'%019d ' % number + b'.' * (SIZE - 20), headers=headers)
            if persistent:
                self.receipt(f'r{number}')
            meanwhile(number)

    def take(self, count):
        """Consumes so many; what they are numbered."""
        found = []
        while len(found) < count:
            frame = self.inbox.messages.get(timeout=WAIT_SECONDS)
            found.append(int(frame.body[:19]))
            if len(found) % 50 == 0 or len(found) == count:
                self.library.ack(frame.headers['ack'], receipt=f'a{len(found)}')
                self.receipt(f'a{len(found)}')
        return found


def depths(broker):
    return {row['clientId']: row['depth']
            for row in broker.get_json('/api/subscriptions')['subscriptions']}


def engine(broker):
    return broker.get_json('/api/status')['engine']


class SpillTopicTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def _subscribe_and_leave(self, broker, names=AWAY):
        for name in names:
            with Office(broker, name) as office:
                office.subscribe()

    def _fill(self, broker):
        most = 0

        def look(number):
            nonlocal most
            if number % 500 == 0:
                most = max(most, broker.resident_bytes())

        with Office(broker) as producer:
            producer.send_all(look)
        return max(most, broker.resident_bytes())

    def test_who_was_away_gets_all_in_order_and_memory_is_bounded(self):
        with Broker(config=configuration(self.directory)) as broker:
            self._subscribe_and_leave(broker)
            most = self._fill(broker)
            now = engine(broker)
            on_disk = broker.get_json('/api/status')['store']['bytesLive']
            print(f'{now["bytesSpilled"] // MEGABYTE} MB spilled, {now["bytesHeld"] // MEGABYTE} MB'
                  f' held, {most // MEGABYTE} MB resident at most, {on_disk // MEGABYTE} MB live')
            self.assertGreater(now['bytesSpilled'], 80 * MEGABYTE)
            self.assertLess(now['bytesSpilled'], 101 * MEGABYTE, 'once, not for each of three')
            self.assertLess(on_disk, 105 * MEGABYTE)
            self.assertLessEqual(now['bytesHeld'], 16 * MEGABYTE)
            self.assertEqual(depths(broker), dict.fromkeys(AWAY, COUNT))
            self._map_names_who_keeps_it(broker)
            # One that comes later than the messages has none of them.
            self._subscribe_and_leave(broker, ['late'])
            for name in AWAY:
                with Office(broker, name) as office:
                    office.subscribe()
                    self.assertEqual(office.take(COUNT), list(range(COUNT)), name)
                most = max(most, broker.resident_bytes())
            self.assertLess(most, 160 * MEGABYTE)
            self.assertEqual(depths(broker), dict.fromkeys(AWAY + ('late',), 0))
            now = engine(broker)
            self.assertEqual((now['bytesSpilled'], now['bytesHeld']), (0, 0))
            wait_for(lambda: broker.get_json('/api/status')['store']['bytesLive'] == 0,
                     'an empty store')

    def _map_names_who_keeps_it(self, broker):
        done = run('store', 'map', '--api', f'http://127.0.0.1:{broker.ports["http"]}', '--json')
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [row for row in json.loads(done.stdout)['totals']
                if row['destination'] == 'topic://news (spilled)']
        self.assertEqual({row['subscription'] for row in rows},
                         {f'{name}/daily' for name in AWAY})
        for row in rows:
            self.assertGreater(row['bytes'], 80 * MEGABYTE)

    def test_who_keeps_up_is_not_held_up_by_who_is_away(self):
        with Broker(config=configuration(self.directory)) as broker:
            self._subscribe_and_leave(broker, AWAY[:1])
            with Office(broker, 'here') as here, Office(broker) as producer:
                here.subscribe()
                seen = []
                producer.send_all(lambda number: number % 100 == 99
                                  and seen.extend(here.take(100)))
                self.assertEqual(seen, list(range(COUNT)))
                self.assertEqual(depths(broker), {'away-1': COUNT, 'here': 0})
            with Office(broker, 'away-1') as office:
                office.subscribe()
                self.assertEqual(office.take(COUNT), list(range(COUNT)))

    def test_a_kill_leaves_the_persistent_ones_and_nothing_else(self):
        with Broker(config=configuration(self.directory)) as broker:
            self._subscribe_and_leave(broker)
            self._fill(broker)
            with Office(broker, AWAY[0]) as office:  # has had some of both kinds
                office.subscribe()
                self.assertEqual(office.take(1000), list(range(1000)))
            broker.kill()
            broker.start()
            left = [number for number in PERSISTENT if number >= 1000]
            expected = {AWAY[0]: left, AWAY[1]: PERSISTENT, AWAY[2]: PERSISTENT}
            self.assertEqual(depths(broker), {name: len(all) for name, all in expected.items()})
            self.assertEqual(engine(broker)['bytesSpilled'], 0)
            for name, numbers in expected.items():
                with Office(broker, name) as office:
                    office.subscribe()
                    self.assertEqual(office.take(len(numbers)), numbers, name)
                    with self.assertRaises(queue.Empty):
                        office.inbox.messages.get_nowait()
            self.assertEqual(depths(broker), dict.fromkeys(AWAY, 0))
            # What was spilled before goes from the disk too, in the background.
            wait_for(lambda: broker.get_json('/api/status')['store']['bytesLive'] == 0,
                     'an empty store')
            # And it goes on as before.
            self._fill(broker)
            with Office(broker, AWAY[2]) as office:
                office.subscribe()
                self.assertEqual(office.take(COUNT), list(range(COUNT)))


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
