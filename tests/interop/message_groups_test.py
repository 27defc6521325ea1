#!/usr/bin/env python3
"""Message groups, exclusive consumers and consumer priority, with stomp.py against the program."""

import collections
import queue
import unittest

from broker import WAIT_SECONDS, Broker, wait_for
from stomp_py_test import Peer

GROUPS = [f'group-{i}' for i in range(100)]


def group_of(frame):
    return frame.headers['JMSXGroupID']


def is_first(frame):
    return frame.headers.get('JMSXGroupFirstForConsumer') == 'true'


class MessageGroupsTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.close)
        self.queue = f'/queue/{self.id().rsplit(".", 1)[-1]}'

    def peer(self):
        peer = Peer(self.broker.ports['stomp'], '1.2')
        self.addCleanup(peer.close)
        return peer

    def consumer(self, ack='client-individual', **headers):
        peer = self.peer()
        peer.subscribe(self.queue, ack=ack, **headers)
        return peer

    def send(self, sender, body, group=None, sequence=None):
        headers = {'persistent': 'true'}
        if group is not None:
            headers['JMSXGroupID'] = group
        if sequence is not None:
            headers['JMSXGroupSeq'] = sequence
        sender.send(self.queue, body, **headers)

    def send_round(self, sender, number):
        for group in GROUPS:
            self.send(sender, str(number), group)

    def receive(self, consumers, count):
        """`count` messages, wherever they come: (index of the consumer, frame) in their order at
        each consumer."""
        got = []

        def take():
            for index, consumer in enumerate(consumers):
                try:
                    while True:
                        got.append((index, consumer.inbox.messages.get_nowait()))
                except queue.Empty:
                    pass
            return len(got) >= count

        wait_for(take, f'{count} messages')
        self.assertEqual(len(got), count)
        return got

    def test_each_group_has_one_consumer_and_goes_on_without_it(self):
        consumers = [self.consumer() for _ in range(3)]
        sender = self.peer()
        for number in range(3):
            self.send_round(sender, number)
        owner = {}
        bodies = collections.defaultdict(list)
        frames = collections.defaultdict(list)
        for index, frame in self.receive(consumers, 300):
            group = group_of(frame)
            self.assertEqual(owner.setdefault(group, index), index, group)
            self.assertEqual(is_first(frame), not bodies[group], group)
            bodies[group].append(frame.body)
            frames[group].append(frame)
        self.assertEqual({tuple(each) for each in bodies.values()}, {('0', '1', '2')})
        shares = collections.Counter(owner.values())
        self.assertEqual(sorted(shares.values()), [33, 33, 34])

        # Two of each group are done; then one consumer is gone without a word.
        for group, its in frames.items():
            for frame in its[:2]:
                consumers[owner[group]].ack(frame)
        for consumer in consumers:
            consumer.synchronize()
        consumers[0].drop()
        self.send_round(sender, 3)
        self.send_round(sender, 4)
        orphans = [group for group in GROUPS if owner[group] == 0]
        after = {}
        later = collections.defaultdict(list)
        for index, frame in self.receive(consumers[1:], 200 + len(orphans)):
            group = group_of(frame)
            self.assertEqual(after.setdefault(group, index), index, group)
            self.assertEqual(is_first(frame), group in orphans and not later[group], group)
            self.assertEqual(frame.headers.get('redelivered'),
                             'true' if group in orphans and not later[group] else None)
            later[group].append(frame.body)
        for group in GROUPS:
            if group in orphans:
                self.assertEqual(later[group], ['2', '3', '4'], group)
            else:
                self.assertEqual(later[group], ['3', '4'], group)
                self.assertEqual(after[group] + 1, owner[group], group)
        shares = collections.Counter(after[group] for group in orphans)
        self.assertLessEqual(max(shares.values()) - min(shares.values()), 2, shares)

    def test_a_backlog_that_survived_a_kill_comes_group_by_group(self):
        sender = self.peer()
        for number in range(5):
            self.send_round(sender, number)
        self.broker.kill()
        self.broker.start()
        consumers = [self.consumer(**{'activemq.prefetchSize': 20}) for _ in range(3)]
        owner = {}
        bodies = collections.defaultdict(list)
        count = 0
        while count < 500:
            for index, consumer in enumerate(consumers):
                try:
                    frame = consumer.inbox.messages.get(timeout=0.02)
                except queue.Empty:
                    continue
                group = group_of(frame)
                self.assertEqual(owner.setdefault(group, index), index, group)
                bodies[group].append(frame.body)
                consumer.ack(frame)
                count += 1
        self.assertEqual({tuple(each) for each in bodies.values()}, {tuple('01234')})
        self.assertEqual(len(set(owner.values())), 3)

    def test_a_blocked_owner_holds_up_nobody(self):
        slow = self.consumer(**{'activemq.prefetchSize': 1})
        sender = self.peer()
        self.send(sender, 'held', 'slow')
        held = slow.message()
        fast = self.consumer()
        for number in range(50):
            self.send(sender, f'slow {number}', 'slow')
            self.send(sender, f'fast {number}', 'fast')
        for number in range(50):
            frame = fast.message()
            self.assertEqual(frame.body, f'fast {number}')
            fast.ack(frame)
        self.assertTrue(slow.inbox.messages.empty())
        slow.ack(held)
        for number in range(50):
            frame = slow.message()
            self.assertEqual(frame.body, f'slow {number}')
            slow.ack(frame)

    def test_sequence_minus_one_closes_a_group(self):
        first = self.consumer()
        sender = self.peer()
        self.send(sender, 'other', 'other')
        self.send(sender, '1', 'job', 1)
        self.send(sender, '2', 'job', -1)
        frames = [first.message() for _ in range(3)]
        self.assertEqual([(frame.body, is_first(frame)) for frame in frames],
                         [('other', True), ('1', True), ('2', False)])
        self.assertEqual(frames[2].headers['JMSXGroupSeq'], '-1')
        for frame in frames:
            first.ack(frame)
        first.synchronize()
        second = self.consumer()
        self.send(sender, '3', 'job', 1)
        frame = second.message()  # the first has a group already
        self.assertEqual((frame.body, is_first(frame)), ('3', True))
        self.send(sender, 'more', 'other')
        self.assertEqual(first.message().body, 'more')

    def test_an_exclusive_consumer_fails_over_in_order(self):
        first = self.consumer(**{'activemq.exclusive': 'true', 'activemq.prefetchSize': 10})
        second = self.consumer(**{'activemq.exclusive': 'true'})
        third = self.consumer()
        sender = self.peer()
        for number in range(30):
            self.send(sender, str(number))
        frames = [first.message() for _ in range(10)]
        self.assertEqual([frame.body for frame in frames], [str(i) for i in range(10)])
        for frame in frames[:4]:
            first.ack(frame)
        more = [first.message() for _ in range(4)]
        self.assertEqual([frame.body for frame in more], [str(i) for i in range(10, 14)])
        first.drop()
        self.assertEqual(second.bodies(26), [str(i) for i in range(4, 30)])
        self.assertTrue(third.inbox.messages.empty())
        second.drop()
        self.assertEqual(third.bodies(26), [str(i) for i in range(4, 30)])

    def test_the_higher_priority_is_filled_first(self):
        low = self.consumer(**{'activemq.priority': 3})
        high = self.consumer(**{'activemq.priority': 127, 'activemq.prefetchSize': 2})
        sender = self.peer()
        for number in range(5):
            self.send(sender, str(number))
        self.assertEqual(high.bodies(2), ['0', '1'])
        self.assertEqual(low.bodies(3), ['2', '3', '4'])
        refused = self.peer()
        refused.library.subscribe(self.queue, id='x', headers={'activemq.priority': '128'})
        error = refused.inbox.errors.get(timeout=WAIT_SECONDS)
        self.assertIn('activemq.priority', error.headers['message'])
        self.assertIn('0 to 127', error.body)


if __name__ == '__main__':
    unittest.main()
