#!/usr/bin/env python3
"""`pabal schedule`, the API beside it and the figures in the status: what stomp.py has scheduled is
listed and cancelled by an operator, over a kill, and what is left comes when it is due."""

import json
import threading
import time
import unittest

import stomp

from broker import Broker, run, wait_for

FAILED, USAGE = 1, 2
FAR = 3_600_000


class Received(stomp.ConnectionListener):
    def __init__(self):
        self.bodies = []
        self.receipts = threading.Semaphore(0)

    def on_message(self, frame):
        self.bodies.append(frame.body)

    def on_receipt(self, frame):
        self.receipts.release()


class ScheduleTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.close)
        self.connect()

    def connect(self):
        self.client = stomp.Connection12([('127.0.0.1', self.broker.ports['stomp'])],
                                         heartbeats=(0, 0))
        self.received = Received()
        self.client.set_listener('', self.received)
        self.client.connect(wait=True)
        self.addCleanup(self.close, self.client)

    @staticmethod
    def close(client):
        try:
            client.disconnect()
        except (stomp.exception.NotConnectedException, OSError):
            pass  # the broker was killed

    def plan(self, destination, body, delay=FAR, persistent=True, **more):
        headers = {'AMQ_SCHEDULED_' + name.upper(): str(value) for name, value in more.items()}
        self.client.send(destination, body, receipt='r', headers={
            'AMQ_SCHEDULED_DELAY': str(delay), **({'persistent': 'true'} if persistent else {}),
            **headers})
        self.assertTrue(self.received.receipts.acquire(timeout=60))

    def command(self, *words, code=0):
        done = run(*words, '--api', self.broker.http_url, '--json')
        self.assertEqual(done.returncode, code, f'{words}: {done}')
        return json.loads(done.stdout)

    def listed(self, *words):
        return self.command('schedule', 'list', *words)['scheduled']

    def engine(self):
        return self.broker.get_json('/api/status')['engine']

    def test_listed_cancelled_and_delivered_over_a_kill(self):
        before = int(time.time() * 1000)
        self.plan('/queue/orders', 'one', period=1000, repeat=2)
        self.plan('/queue/orders', 'two')
        self.plan('/queue/other', 'soon', delay=4000)
        self.plan('/topic/news', 'volatile', persistent=False)
        everything = self.listed()
        self.assertEqual([each['destination'] for each in everything].count('queue://orders'), 2)
        self.assertEqual(len(everything), 4)
        self.assertEqual(self.engine()['scheduled'], 4)
        self.assertGreater(self.engine()['scheduledBytes'], 0)
        self.assertIn('pabal_scheduled 4\n', self.broker.get('/metrics')[1])
        self.assertEqual(len(self.listed('--queue', '*')), 3)
        one, two = self.listed('--queue', 'orders')
        self.assertEqual((one['periodMillis'], one['repeat'], one['persistent']), (1000, 2, True))
        self.assertGreaterEqual(one['due'], before + FAR)
        self.assertEqual(self.listed('--id', two['id']), [two])
        self.assertEqual(len(self.listed('--limit', '3')), 3)
        # Only what is so: a delay that was asked for shows in the time that it led to.
        self.assertNotIn('delayMillis', two)
        self.assertEqual(two['cronDelayMillis'], 0)

        self.assertEqual(self.command('schedule', 'cancel', one['id'])['cancelled'], 1)
        self.assertEqual(self.command('schedule', 'cancel', one['id'], code=FAILED)['cancelled'], 0)
        self.broker.kill()
        self.broker.start()
        left = {each['destination']: each for each in self.listed()}
        self.assertEqual(sorted(left), ['queue://orders', 'queue://other'])
        self.assertEqual(left['queue://orders']['id'], two['id'])
        self.assertEqual(self.command('schedule', 'cancel', '--queue', '/queue/orders')['cancelled'],
                         1)
        self.connect()
        self.client.subscribe('/queue/other', id='1')
        self.client.subscribe('/queue/orders', id='2')
        wait_for(lambda: self.received.bodies, 'the one that was left')
        self.assertEqual(self.received.bodies, ['soon'])
        self.assertEqual(self.engine()['scheduled'], 0)
        self.assertEqual(run('schedule', 'list', '--api', self.broker.http_url).stdout,
                         'nothing is scheduled\n')

    def test_many_are_listed_by_pages_and_cancelled_at_once(self):
        for number in range(2500):
            self.client.send('/queue/many', str(number), headers={
                'AMQ_SCHEDULED_DELAY': str(FAR + number * 1000), 'persistent': 'true'})
        self.plan('/queue/few', 'x')
        everything = self.listed()
        self.assertEqual(len({each['id'] for each in everything}), 2501)
        self.assertEqual(self.command('schedule', 'cancel', '--queue', 'many', '--limit',
                                      '7')['cancelled'], 7)
        self.assertEqual(self.command('schedule', 'cancel', '--queue', 'many')['cancelled'], 2493)
        self.assertEqual(len(self.listed()), 1)
        self.assertEqual(self.command('schedule', 'cancel', '--all')['cancelled'], 1)

    def test_a_cancel_that_chooses_nothing_is_refused(self):
        self.plan('/queue/orders', 'one')
        self.assertEqual(run('schedule', 'cancel', '--api', self.broker.http_url).returncode, USAGE)
        self.command('schedule', 'cancel', 'ID:x', '--all', code=USAGE)
        self.assertEqual(self.engine()['scheduled'], 1)


if __name__ == '__main__':
    unittest.main()
