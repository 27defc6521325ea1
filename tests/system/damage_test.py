#!/usr/bin/env python3
"""A message that the disk does not give back: what it holds up is explained, `pabal queue
skip-damaged` deletes it and nothing else, and a segment that cannot be read shows in the status and
in the map of the store."""

import glob
import json
import os
import threading
import unittest

import stomp

from broker import WAIT_SECONDS, Broker, run, wait_for

COUNT = 3000


class Listener(stomp.ConnectionListener):
    def __init__(self):
        self.bodies = []
        self.receipts = threading.Semaphore(0)

    def on_message(self, frame):
        self.bodies.append(frame.body.split(' ')[0])

    def on_receipt(self, frame):
        self.receipts.release()


def body(number):
    return f'{number} marker-{number:06d}-end ' + 'x' * 1000


class DamageTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.close)

    def connect(self, client_id=None):
        client = stomp.Connection12([('127.0.0.1', self.broker.ports['stomp'])], heartbeats=(0, 0))
        listener = Listener()
        client.set_listener('', listener)
        client.connect(wait=True, headers={'client-id': client_id} if client_id else {})
        self.addCleanup(self.close, client)
        return client, listener

    @staticmethod
    def close(client):
        try:
            client.disconnect()
        except (stomp.exception.NotConnectedException, OSError):
            pass  # the broker was killed

    def fill(self, queue, count=COUNT):
        client, listener = self.connect()
        for number in range(count):
            headers = {'persistent': 'true'}
            if number == count - 1:
                headers['receipt'] = 'last'
            client.send(queue, body(number), headers=headers)
        self.assertTrue(listener.receipts.acquire(timeout=WAIT_SECONDS))

    def spoil(self, number):
        """Overwrites what the journal has of a message's body."""
        wanted = f'marker-{number:06d}-end'.encode()
        found = 0
        # '*.segment' alone: a file that is being prepared has another name, which it may lose now.
        for path in glob.glob(os.path.join(self.broker.data, '**', 'journal', '*.segment'),
                              recursive=True):
            try:
                file = open(path, 'r+b')
            except FileNotFoundError:  # a segment that nobody needs any more is removed
                continue
            with file:
                content = file.read()
                at = content.find(wanted)
                if at >= 0:
                    file.seek(at)
                    file.write(b'#' * len(wanted))
                    found += 1
        self.assertEqual(found, 1, number)

    def command(self, *words):
        done = run(*words, '--api', self.broker.http_url, '--json')
        self.assertEqual(done.returncode, 0, f'{words}: {done}')
        return json.loads(done.stdout)

    def test_what_cannot_be_read_is_told_and_skipped(self):
        self.fill('/queue/deep')
        self.broker.kill()  # so that nothing of it is in memory
        self.broker.start()
        self.spoil(1200)
        self.spoil(2000)
        client, listener = self.connect()
        client.subscribe('/queue/deep', id='1')
        wait_for(lambda: len(listener.bodies) == 1200, 'what stands before it')
        explained = wait_for(lambda: self.command('explain', 'deep').get('damaged'), 'the damage')
        self.assertIn('cannot be read', explained[0])
        reasons = ' '.join(self.command('explain', 'deep')['reasons'])
        self.assertIn('pabal queue skip-damaged deep', reasons)
        engine = self.broker.get_json('/api/status')['engine']
        self.assertGreaterEqual(engine['damagedReads'], 1)
        self.assertIn('queue://deep', engine['damage'])
        self.assertEqual(self.command('queue', 'skip-damaged', 'deep')['affected'], 2)
        wait_for(lambda: len(listener.bodies) == COUNT - 2, 'the rest')
        self.assertEqual(listener.bodies,
                         [str(n) for n in range(COUNT) if n not in (1200, 2000)])
        wait_for(lambda: self.command('queue', 'show', 'deep')['depth'] == 0, 'an empty queue')
        self.assertIn('pabal_damaged_skipped_total 2\n', self.broker.get('/metrics')[1])
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.command('queue', 'show', 'deep')['depth'], 0)

    def test_of_a_durable_subscription(self):
        for name in ('one', 'two'):
            client, listener = self.connect(name)
            client.subscribe('/topic/deep', id='1', ack='client-individual',
                             headers={'activemq.subscriptionName': 'kept', 'receipt': 'there'})
            self.assertTrue(listener.receipts.acquire(timeout=WAIT_SECONDS))
            client.disconnect()
        self.fill('/topic/deep')
        self.broker.terminate()  # so that the index has all, and no start needs this of the journal
        self.broker.start()
        self.spoil(1200)
        client, listener = self.connect('one')
        client.subscribe('/topic/deep', id='1', ack='auto',
                         headers={'activemq.subscriptionName': 'kept'})
        wait_for(lambda: len(listener.bodies) == 1200, 'what stands before it')
        reasons = wait_for(
            lambda: [each for each in self.command('explain', '/topic/deep')['reasons']
                     if 'cannot be read' in each], 'the damage')
        self.assertEqual(len(reasons), 1)
        self.assertIn('pabal subscription skip-damaged one kept', reasons[0])
        done = self.command('subscription', 'skip-damaged', 'one', 'kept')
        self.assertEqual((done['affected'], done['command'], done['subscription']),
                         (1, 'skip-damaged', 'kept'))
        wait_for(lambda: len(listener.bodies) == COUNT - 1, 'the rest')

        def depths():
            listed = self.command('subscription', 'list')['subscriptions']
            return {each['clientId']: each['depth'] for each in listed}

        wait_for(lambda: depths() == {'one': 0, 'two': COUNT}, 'an empty subscription')
        self.broker.kill()
        self.broker.start()
        self.assertEqual(depths()['two'], COUNT)
        self.assertLessEqual(depths()['one'], COUNT - 1)
        # The other one skips for itself.
        self.assertEqual(self.command('subscription', 'skip-damaged', 'two', 'kept')['affected'], 1)
        refused = run('subscription', 'skip-damaged', 'two', 'none', '--api', self.broker.http_url)
        self.assertEqual(refused.returncode, 4, refused)
        self.assertIn('no durable subscription none of client two', refused.stderr)

    def test_without_damage_nothing_is_skipped(self):
        self.fill('/queue/sound', 100)
        self.assertEqual(self.command('queue', 'skip-damaged', 'sound')['affected'], 0)
        self.assertEqual(self.command('queue', 'show', 'sound')['depth'], 100)


if __name__ == '__main__':
    unittest.main()
