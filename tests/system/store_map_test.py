#!/usr/bin/env python3
"""`pabal store map`: who keeps the store from shrinking, asked of a broker at work and of the
directory of one that was killed.
"""

import json
import os
import tempfile
import threading
import time
import unittest

import stomp

from broker import SOURCE_DIR, WAIT_SECONDS, Broker, run, wait_for

OLD = 5
BULK = 20_000


def connect(broker, client_id=None):
    library = stomp.Connection12([('127.0.0.1', broker.ports['stomp'])])
    library.connect(wait=True, headers={'client-id': client_id} if client_id else {})
    return library


class Receipts(stomp.ConnectionListener):
    def __init__(self):
        self.seen = set()
        self.changed = threading.Condition()

    def on_receipt(self, frame):
        with self.changed:
            self.seen.add(frame.headers['receipt-id'])
            self.changed.notify_all()

    def wait(self, receipt):
        with self.changed:
            assert self.changed.wait_for(lambda: receipt in self.seen, WAIT_SECONDS), receipt


def fill(library, destination, count, size):
    receipts = Receipts()
    library.set_listener('', receipts)
    for number in range(count):
        headers = {'persistent': 'true'}
        if number == count - 1:
            headers['receipt'] = destination
        library.send(destination, b'x' * size, headers=headers)
    receipts.wait(destination)


def live_map(broker, *arguments):
    done = run('store', 'map', '--api', f'http://127.0.0.1:{broker.ports["http"]}', '--json',
               *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_name(rows):
    return {row.get('subscription', row['destination']): row for row in rows}


class StoreMap(unittest.TestCase):
    def test_names_who_keeps_how_much_since_when_live_and_stopped(self):
        with Broker() as broker:
            began = time.time() * 1000
            durable = connect(broker, 'archive')
            durable.subscribe('/topic/prices', id='d', headers={'activemq.subscriptionName': 'all'})
            durable.unsubscribe(id='d', headers={})
            durable.disconnect(receipt='gone')
            library = connect(broker)
            fill(library, '/queue/forgotten', OLD, 100)
            fill(library, '/topic/prices', 100, 1000)
            fill(library, '/queue/bulk', BULK, 1000)
            library.disconnect()

            # What is acknowledged, applied and flushed follows in the background.
            def complete():
                found = live_map(broker)
                rows = by_name(found['totals'])
                counts = {name: row['messages'] for name, row in rows.items()}
                wanted = {'queue://bulk': BULK, 'archive/all': 100, 'queue://forgotten': OLD}
                return found if counts == wanted else None

            found = wait_for(complete, 'all messages in the map')
            names = list(by_name(found['totals']))
            self.assertEqual(names, ['queue://bulk', 'archive/all', 'queue://forgotten'])
            rows = by_name(found['totals'])
            self.assertGreater(rows['queue://bulk']['bytes'], BULK * 1000)
            for row in rows.values():
                self.assertGreaterEqual(row['since'], began - 1)
                self.assertLessEqual(row['since'], time.time() * 1000 + 1)
            self.assertEqual(found['totalsLeftOut'], 0)
            # The same counted by segment.
            in_segments = sum(row['messages'] for each in found['segments']
                              for row in each['readers'])
            self.assertEqual(in_segments, BULK + 100 + OLD)
            live = sum(each['bytesLive'] for each in found['segments'])
            self.assertEqual(live, sum(row['bytes'] for row in rows.values()))

            cut = live_map(broker, '--limit', '1')
            self.assertEqual(list(by_name(cut['totals'])), ['queue://bulk'])
            self.assertEqual(cut['totalsLeftOut'], 2)

            text = run('store', 'map', '--api', f'http://127.0.0.1:{broker.ports["http"]}').stdout
            self.assertRegex(text, r'\d+ bytes in +5 messages since 20.*Z \(.* ago\) for queue://forgotten')
            self.assertRegex(text, r'for topic://prices \(archive/all\)')

            in_use = run('store', 'map', broker.data)
            self.assertEqual(in_use.returncode, 1)
            self.assertIn('stop the broker', in_use.stderr)

            broker.kill()
            stopped = run('store', 'map', '--json', broker.data)
            self.assertEqual(stopped.returncode, 0, stopped.stderr)
            self.assertEqual(json.loads(stopped.stdout)['totals'], found['totals'])
            self.assertEqual(run('store', 'check', broker.data).returncode, 0)

    def test_lists_of_the_brokers_own_have_names_for_people(self):
        usage = ('</transportConnectors><systemUsage><systemUsage><memoryUsage><memoryUsage '
                 'limit="8mb"/></memoryUsage></systemUsage></systemUsage>')
        with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as sample:
            text = sample.read()
        self.assertEqual(text.count('</transportConnectors>'), 1)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'small.xml')
            with open(path, 'w', encoding='utf-8') as out:
                out.write(text.replace('</transportConnectors>', usage))
            with Broker(config=path) as broker:
                library = connect(broker)
                receipts = Receipts()
                library.set_listener('', receipts)
                for number in range(300):  # not persistent, and more than the memory
                    library.send('/queue/np', b'x' * 100_000, headers={'receipt': f'n{number}'})
                    receipts.wait(f'n{number}')
                library.send('/queue/later', b'x', headers={
                    'persistent': 'true', 'AMQ_SCHEDULED_DELAY': '3600000', 'receipt': 'later'})
                receipts.wait('later')
                wanted = {'queue://np (spilled)', 'scheduled messages'}
                wait_for(lambda: wanted == {row['destination']
                                            for row in live_map(broker)['totals']},
                         'both lists in the map')
                shown = run('store', 'map', '--api',
                            f'http://127.0.0.1:{broker.ports["http"]}').stdout
                self.assertIn('for queue://np (spilled)', shown)
                self.assertIn('for scheduled messages', shown)
                self.assertNotIn('temp-queue', shown)
                library.disconnect()

    def test_a_store_in_memory_has_no_map(self):
        with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as sample:
            text = sample.read()
        self.assertEqual(text.count('    persistent="true"\n'), 1)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'memory.xml')
            with open(path, 'w', encoding='utf-8') as out:
                out.write(text.replace('    persistent="true"\n', '    persistent="false"\n'))
            self.refuses_the_map(path)

    def refuses_the_map(self, configuration):
        with Broker(config=configuration) as broker:
            done = run('store', 'map', '--api', f'http://127.0.0.1:{broker.ports["http"]}')
            self.assertNotEqual(done.returncode, 0)
            self.assertIn('in memory', done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
