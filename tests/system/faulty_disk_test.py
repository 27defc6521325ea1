#!/usr/bin/env python3
"""The real program on a disk that is full, or that fails: tests/support/fault_injection.cc stands
between the two. On a full one what would make a file longer fails with ENOSPC.
"""

import collections
import os
import sys
import unittest

from broker import Broker, wait_for
from stomp_client import Closed, ErrorFrame

LIBRARY = os.path.join(os.environ['PABAL_BUILD_DIR'], 'tests', 'support', 'libfault_injection.so')
BODY = b'.' * 60_000


class FaultyBroker(Broker):
    """A broker whose data directory lies on a disk with faults."""

    def __init__(self, **arguments):
        super().__init__(start=False, **arguments)
        self.control = os.path.join(self._own_directory, 'fault')
        self.start()

    def environment(self):
        return {'LD_PRELOAD': LIBRARY, 'PABAL_FAULT_DIRECTORY': os.path.realpath(self.data),
                'PABAL_FAULT_CONTROL': self.control,
                # The program of a sanitizer build wants its runtime first; this library needs none.
                'ASAN_OPTIONS': 'verify_asan_link_order=0:' + os.environ.get('ASAN_OPTIONS', '')}

    def fault(self, kind):
        # By renaming, so that nobody reads half of it.
        with open(self.control + '.new', 'w', encoding='ascii') as control:
            control.write(kind)
        os.rename(self.control + '.new', self.control)

    def fill_disk(self):
        """No more than there is now, and a little, once the store has set aside what it wants."""
        wait_for(lambda: os.path.exists(os.path.join(self.data, 'store', 'journal', 'reserve')),
                 'what is set aside')
        self.fault(f'full {self.file_bytes() + (1 << 20)}')

    def file_bytes(self):
        return sum(os.path.getsize(os.path.join(folder, file))
                   for folder, _, files in os.walk(self.data) for file in files)

    def mend(self):
        os.unlink(self.control)


def send_until_refused(broker, queue, start=0, most=100_000):
    """Sends numbered messages, each with its receipt, until an ERROR; answers how many were
    confirmed, and the ERROR."""
    with broker.connect() as client:
        for number in range(start, most):
            try:
                client.publish(queue, b'%d ' % number + BODY)
            except ErrorFrame as error:
                return number, error.frame
    raise AssertionError('never refused')


class Consumer:
    """Takes messages one by one, each acknowledged, with a receipt: so durably."""

    def __init__(self, client, queue, **headers):
        self.client = client
        self.arrived = collections.deque(
            client.subscribe(queue, ack='client-individual', **headers))

    def next(self):
        """First word of the next message."""
        frame = self.arrived.popleft() if self.arrived else self.client.expect('MESSAGE')
        self.arrived.extend(self.client.ack(frame))
        return frame.body.split()[0].decode()

    def expect(self, numbers):
        for number in numbers:
            word = self.next()
            assert word == str(number), f'{word} instead of {number}'


class FullDiskTest(unittest.TestCase):
    def test_sends_are_refused_consuming_goes_on_and_space_is_noticed(self):
        with FaultyBroker() as broker:
            with broker.connect() as client:
                client.publish('/queue/a', b'0 ' + BODY)
            broker.fill_disk()
            sent, error = send_until_refused(broker, '/queue/a', start=1)
            said = error.headers['message'] + error.body.decode()
            self.assertIn('full', said)
            self.assertIn('No space left on device', said)
            self.assertGreater(sent, 100, 'what was set aside is used')

            # Refused for everybody who sends now; nothing of it is there.
            with broker.connect() as other:
                with self.assertRaises(ErrorFrame):
                    other.publish('/queue/b', BODY)

            # All of it can be consumed, and acknowledged for good, on the full disk.
            with broker.connect() as client:
                consumer = Consumer(client, '/queue/a', **{'activemq.prefetchSize': '10'})
                consumer.expect(range(sent // 2))
                # What is not stored needs no room.
                client.publish('/queue/c', 'volatile', persistent=False)
                client.disconnect()

            broker.mend()
            # The same process takes messages again.
            pid = broker.pid

            def works():
                try:
                    with broker.connect() as client:
                        client.publish('/queue/a', b'%d ' % sent + BODY)
                        return True
                except ErrorFrame:
                    return False

            wait_for(works, 'sends to be accepted again')
            self.assertEqual(broker.pid, pid)
            self.assertTrue(broker.alive())
            broker.kill()
            broker.start()
            with broker.connect() as client:
                client.publish('/queue/a', 'marker', priority=0)
                consumer = Consumer(client, '/queue/a')
                consumer.expect([*range(sent // 2, sent + 1), 'marker'])

    def test_a_killed_broker_starts_and_is_drained_on_a_full_disk(self):
        with FaultyBroker() as broker:
            broker.fill_disk()
            sent, _ = send_until_refused(broker, '/queue/a')
            broker.kill()
            broker.start()  # the fault is still on; what was set aside for this helps
            with broker.connect() as client:
                Consumer(client, '/queue/a').expect(range(sent))
                client.disconnect()
            self.assertEqual(broker.terminate(), 0)
            broker.mend()
            broker.start()
            with broker.connect() as client:
                client.publish('/queue/a', 'marker')
                Consumer(client, '/queue/a').expect(['marker'])


class FailedDiskTest(unittest.TestCase):
    def fails(self, kind):
        with FaultyBroker() as broker:
            with broker.connect() as client:
                for number in range(50):
                    client.publish('/queue/a', b'%d ' % number + BODY)
            with broker.connect() as client:
                broker.fault(kind)
                for number in range(50, 60):
                    client.publish('/queue/a', b'%d ' % number + BODY, wait=False, receipt=number)
                try:
                    answers = client.expect_closed()
                except Closed:
                    answers = []
                self.assertEqual(answers, [], 'nothing is answered after a failed ' + kind)
            self.assertEqual(broker.wait(), 74)
            log = broker.log_tail()
            self.assertIn('the journal failed', log)
            self.assertIn('Input/output error', log)

            broker.mend()
            broker.start()
            with broker.connect() as client:
                client.publish('/queue/a', 'marker', priority=0)
                consumer = Consumer(client, '/queue/a')
                consumer.expect(range(50))
                # Of what had no receipt any part may be there, from the first on.
                following = 50
                while (word := consumer.next()) != 'marker':
                    self.assertEqual(word, str(following))
                    following += 1
                self.assertLessEqual(following, 60)

    def fails_where_the_loop_writes(self, kind):
        """Of one client that waits for each send, on a loop that is idle otherwise, the loop writes
        itself. Only there the disk fails."""
        with FaultyBroker() as broker:
            broker.fault(kind + ' io/')
            confirmed = 0
            with broker.connect() as client:
                try:
                    while confirmed < 20_000:
                        client.publish('/queue/a', b'%d' % confirmed)
                        confirmed += 1
                except Closed:
                    pass
            self.assertLess(confirmed, 20_000, 'the loop never wrote itself')
            self.assertEqual(broker.wait(), 74)
            self.assertIn('the journal failed', broker.log_tail())
            broker.mend()
            broker.start()
            with broker.connect() as client:
                client.publish('/queue/a', 'marker', priority=0)
                consumer = Consumer(client, '/queue/a')
                consumer.expect(range(confirmed))
                self.assertIn(consumer.next(), [str(confirmed), 'marker'])

    def test_after_a_failed_sync_of_the_loop_nothing_is_answered_and_the_broker_ends(self):
        self.fails_where_the_loop_writes('sync')

    def test_after_a_failed_write_of_the_loop_nothing_is_answered_and_the_broker_ends(self):
        self.fails_where_the_loop_writes('write')

    def test_after_a_failed_sync_nothing_is_answered_and_the_broker_ends(self):
        self.fails('sync')

    def test_after_a_failed_write_nothing_is_answered_and_the_broker_ends(self):
        self.fails('write')


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
