#!/usr/bin/env python3
"""What volume must not do: fill the disk with what is settled, lose or reorder a deep queue.

PABAL_FULL_SIZE=1 takes the sizes of the promise: 5 GB past one straggler, a million messages. Without
it less goes through, against the same limits.
"""

import os
import sys
import unittest

from broker import Broker

FULL = os.environ.get('PABAL_FULL_SIZE') == '1'
MEGABYTE = 1_000_000


class VolumeTest(unittest.TestCase):
    def test_one_message_at_the_bottom_pins_itself_and_not_the_disk(self):
        volume = 5000 * MEGABYTE if FULL else 900 * MEGABYTE
        limit = 300 * MEGABYTE
        size, batch = 16_000, 500
        padding = b'.' * (size - 20)
        largest = sent = 0
        with Broker() as broker:
            holder, producer, consumer = (broker.connect() for _ in range(3))
            for client in (holder, producer, consumer):
                self.addCleanup(client.close)
            holder.publish('/queue/deep', 'straggler')
            holder.subscribe('/queue/deep', ack='client', **{'activemq.prefetchSize': '1'})
            self.assertEqual(holder.expect('MESSAGE').body, b'straggler')
            consumer.subscribe('/queue/deep', ack='client')
            while sent * size < volume:
                # On disk before anybody consumes: what is consumed sooner is not written at all.
                for number in range(sent, sent + batch - 1):
                    producer.publish('/queue/deep', b'%019d ' % number + padding, wait=False)
                producer.publish('/queue/deep', b'%019d ' % (sent + batch - 1) + padding)
                for number in range(sent, sent + batch):
                    frame = consumer.expect('MESSAGE')
                    self.assertEqual(int(frame.body[:19]), number)
                consumer.ack(frame, wait=False)
                consumer.flush()
                sent += batch
                largest = max(largest, broker.data_bytes())
            consumer.disconnect()
            print(f'{sent * size // MEGABYTE} MB went through, {largest // MEGABYTE} MB at most on disk')
            self.assertLess(largest, limit)
            broker.kill()
            broker.start()
            self.assertLess(broker.data_bytes(), limit)
            with broker.connect() as client:
                client.publish('/queue/deep', 'marker', priority=0)
                client.subscribe('/queue/deep', ack='client')
                frame = client.expect('MESSAGE', redelivered='true')
                self.assertEqual(frame.body, b'straggler')
                self.assertEqual(client.expect('MESSAGE').body, b'marker')

    def test_messages_left_behind_everywhere_pin_themselves_and_not_the_disk(self):
        # One of every 250 stays unacknowledged, so that each segment has some: what still counts
        # must be moved together. (At full size that is 20 MB.)
        volume = 5000 * MEGABYTE if FULL else 900 * MEGABYTE
        limit = 350 * MEGABYTE
        size, batch = 16_000, 250
        padding = b'.' * (size - 20)
        largest = sent = 0
        left = []
        with Broker() as broker:
            producer, consumer = broker.connect(), broker.connect()
            for client in (producer, consumer):
                self.addCleanup(client.close)
            consumer.subscribe('/queue/deep', ack='client-individual',
                               **{'activemq.prefetchSize': '10000'})
            while sent * size < volume:
                for number in range(sent, sent + batch - 1):
                    producer.publish('/queue/deep', b'%019d ' % number + padding, wait=False)
                producer.publish('/queue/deep', b'%019d ' % (sent + batch - 1) + padding)
                left.append(sent)
                for number in range(sent, sent + batch):
                    frame = consumer.expect('MESSAGE')
                    self.assertEqual(int(frame.body[:19]), number)
                    if number != sent:
                        consumer.ack(frame, wait=False)
                consumer.flush()
                sent += batch
                largest = max(largest, broker.data_bytes())
            consumer.disconnect()
            moved = broker.get_json('/api/status')['store']['messagesRelocated']
            print(f'{sent * size // MEGABYTE} MB went through, {largest // MEGABYTE} MB at most on disk, '
                  f'{moved} messages moved')
            self.assertLess(largest, limit)
            self.assertGreater(moved, 0)
            broker.kill()
            broker.start()
            with broker.connect() as client:
                client.publish('/queue/deep', 'marker', priority=0)
                client.subscribe('/queue/deep', ack='client', **{'activemq.prefetchSize': '10000'})
                for number in left:
                    frame = client.expect('MESSAGE', redelivered='true')
                    self.assertEqual(frame.body, b'%019d ' % number + padding)
                self.assertEqual(client.expect('MESSAGE').body, b'marker')

    def test_a_deep_queue_survives_the_kill_in_order_and_complete(self):
        count = 1_000_000 if FULL else 50_000
        padding = b'.' * 1000
        with Broker() as broker:
            self._fill(broker, count, padding)
            broker.kill()
            broker.start()
            if FULL:
                self.assertLess(broker.resident_bytes(), 256 * MEGABYTE)
            with broker.connect() as client:
                client.publish('/queue/payroll', 'marker', priority=0)
                client.subscribe('/queue/payroll', ack='client')
                for number in range(count):
                    frame = client.expect('MESSAGE')
                    if frame.body != b'%d ' % number + padding:
                        self.fail(f'number {number} is {frame.body[:50]!r}')
                    if number % 200 == 0:
                        client.ack(frame, wait=False)
                frame = client.expect('MESSAGE')
                self.assertEqual(frame.body, b'marker')
                client.ack(frame)
                if FULL:
                    self.assertLess(broker.resident_bytes(), 256 * MEGABYTE)
                client.disconnect()

    @staticmethod
    def _fill(broker, count, padding):
        """With a window of receipts; every message is confirmed when this returns."""
        window = 1000
        with broker.connect() as client:
            asked = answered = 0
            while answered < count:
                while asked < count and asked - answered < window:
                    client.publish('/queue/payroll', b'%d ' % asked + padding, wait=False,
                                   receipt=f'{asked}')
                    asked += 1
                frame = client.expect('RECEIPT')
                assert frame.headers['receipt-id'] == f'{answered}', frame
                answered += 1


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
