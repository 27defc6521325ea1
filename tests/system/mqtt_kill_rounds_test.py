#!/usr/bin/env python3
"""The running program is killed again and again, at points that nobody chose, under MQTT clients that
keep every promise of their side (mqtt_sender.py, mqtt_receiver.py). What was acknowledged is there, what
is sent at QoS 2 comes once, wills are sent once for each loss, what is retained stays as it was.

PABAL_KILL_ROUNDS and PABAL_KILL_SEED make it another run."""

import collections
import os
import random
import threading
import time
import unittest

from broker import Broker
from mqtt_receiver import Receiver, retained
from mqtt_sender import Sender

ROUNDS = int(os.environ.get('PABAL_KILL_ROUNDS', '4'))
SEED = int(os.environ.get('PABAL_KILL_SEED', '20261122'))
MESSAGES = 600  # of each sender, in each round
KILLS = 3       # in each round
LAST = 'r/~'


class Publisher(threading.Thread):
    """One sender at one QoS: numbers to its topic, and now and then a retained value."""

    def __init__(self, port, qos, seed):
        super().__init__(daemon=True)
        self.qos = qos
        self.sent = []
        self.kept = {}
        self.failure = None
        self._sender = Sender(port, f'sender-{qos}', window=20)
        self._dice = random.Random(seed)

    def run(self):
        try:
            self._publish()
        except BaseException as error:  # pylint: disable=broad-except
            self.failure = error

    def _publish(self):
        first = len(self.sent)
        for number in range(first, first + MESSAGES):
            self._sender.publish(f'q{self.qos}/{number % 7}', str(number), self.qos)
            self.sent.append(str(number))
            if number % 5 == 0:
                topic = f'r/{self.qos}-{self._dice.randrange(20)}'
                value = '' if self._dice.randrange(4) == 0 else str(number)
                self._sender.publish(topic, value, self.qos, retain=True)
                if value:
                    self.kept[topic] = value
                else:
                    self.kept.pop(topic, None)
        self._sender.finish()

    def next_round(self):
        """A thread runs once."""
        threading.Thread.__init__(self, daemon=True)
        self.start()

    def close(self):
        self._sender.close()


class KillRounds(unittest.TestCase):
    def setUp(self):
        self.dice = random.Random(SEED)
        self.broker = Broker(options={'mqtt.port': 0})
        self.addCleanup(self.broker.close)
        self.port = self.broker.options['mqtt.port'] = self.broker.ports['mqtt']

    def receiver(self, *arguments, **options):
        receiver = Receiver(self.port, *arguments, **options)
        self.addCleanup(receiver.leave)
        return receiver.start()

    def kill_and_start(self):
        self.broker.kill()
        # Sometimes it dies again before it is up.
        if self.dice.randrange(3) == 0:
            self.broker.start_and_kill(self.dice.uniform(0, 0.2))
        self.broker.start()

    def kill_under(self, threads):
        for _ in range(KILLS):
            time.sleep(self.dice.uniform(0.01, 0.3))  # the point that nobody chose
            self.kill_and_start()
        for thread in threads:
            thread.join(120)
            self.assertFalse(thread.is_alive(), 'a sender got no answer')
            if thread.failure:
                raise thread.failure

    def check(self, receiver, publisher):
        """All of it, each once at QoS 2, in its order topic by topic."""
        expected = collections.defaultdict(list)
        for number in publisher.sent:
            expected[f'q{publisher.qos}/{int(number) % 7}'].append(number)
        receiver.wait_for(lambda got: len(set(got)) >= len(publisher.sent), 'at the end')
        got = collections.defaultdict(list)
        for topic, payload in receiver.received:
            if publisher.qos == 2 or payload not in got[topic]:
                got[topic].append(payload)
        self.assertEqual(dict(got), dict(expected))
        self.assertTrue(all(receiver.session_present[1:]), 'the session was there each time')

    def test_sessions_and_retained_messages(self):
        publishers = [Publisher(self.port, qos, SEED + qos) for qos in (1, 2)]
        for publisher in publishers:
            self.addCleanup(publisher.close)
        online = {qos: self.receiver(f'online-{qos}', [f'q{qos}/#'], qos) for qos in (1, 2)}
        offline = {qos: self.receiver(f'offline-{qos}', [f'q{qos}/#'], qos) for qos in (1, 2)}
        last = Sender(self.port, 'last')
        self.addCleanup(last.close)
        last.publish(LAST, 'last', 1, retain=True)
        last.finish()
        for _ in range(ROUNDS):
            for receiver in offline.values():
                receiver.leave(orderly=self.dice.randrange(2) == 0)
            for publisher in publishers:
                publisher.next_round()
            self.kill_under(publishers)
            kept = {LAST: 'last'}
            for publisher in publishers:
                kept.update(publisher.kept)
            self.assertEqual(retained(self.port, 'r/#', LAST), kept, 'before')
            self.kill_and_start()
            self.assertEqual(retained(self.port, 'r/#', LAST), kept, 'after')
            for receiver in offline.values():
                receiver.start()
            for publisher in publishers:
                self.check(online[publisher.qos], publisher)
                self.check(offline[publisher.qos], publisher)

    def test_wills(self):
        """Each loss of a connection brings its will once, to who is there and to who is away."""
        watch = {qos: self.receiver(f'watch-{qos}', ['w/#'], qos) for qos in (1, 2)}
        losses = 0
        for number in range(ROUNDS):
            client = self.receiver(f'client-{number}', ['nothing'], 1, will=('w/x', f'{number}', 2))
            if number % 2 == 0:
                watch[1].leave()
            self.broker.kill()
            # Nobody comes back before it is sent, so that there is one loss.
            client.leave(orderly=False)
            self.broker.start_and_kill(self.dice.uniform(0, 0.3))
            self.broker.start()
            if number % 2 == 0:
                watch[1].start()
            losses += 1
            for qos in (1, 2):
                watch[qos].wait_for(lambda got, n=losses: len(set(got)) >= n, 'its will')
        for qos in (1, 2):
            payloads = [payload for _, payload in watch[qos].received]
            if qos == 1:
                payloads = list(dict.fromkeys(payloads))
            self.assertEqual(payloads, [str(number) for number in range(losses)])

    def test_shared_subscription_at_qos_2(self):
        """Broker and members die; what one member has begun to take goes to no other."""
        members = [self.receiver(f'member-{i}', ['$share/g/q2/#'], 2) for i in range(3)]
        publisher = Publisher(self.port, 2, SEED)
        self.addCleanup(publisher.close)
        for _ in range(ROUNDS):
            publisher.next_round()
            for _ in range(6):
                time.sleep(self.dice.uniform(0.005, 0.1))
                self.dice.choice(members).drop()
            self.kill_under([publisher])
            for member in members:
                member.drop()
        deadline = time.monotonic() + 60
        while sum(len(member.received) for member in members) < len(publisher.sent):
            self.assertLess(time.monotonic(), deadline, 'some did not come')
            time.sleep(0.02)
        received = [payload for member in members for _, payload in member.received]
        self.assertEqual(sorted(received, key=int), publisher.sent)
        self.assertTrue(all(member.received for member in members), 'a member got nothing')


if __name__ == '__main__':
    unittest.main(verbosity=2)
