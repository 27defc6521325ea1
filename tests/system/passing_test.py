#!/usr/bin/env python3
"""Queues whose consumers acknowledge at once, so that the broker holds their messages back and mostly never
writes them (ARCHITECTURE.md, The path of one message): whose sender was answered is acknowledged or still
there, whenever the broker is killed, and also where a consumer stops acknowledging or leaves.

PABAL_KILL_ROUNDS: how many kills (5). PABAL_KILL_SEED: where the random numbers start.
"""

import os
import random
import select
import tempfile
import threading
import time
import unittest

from broker import Broker, stock_with
from stomp_client import Client, Closed

ROUNDS = int(os.environ.get('PABAL_KILL_ROUNDS', '5'))
SEED = int(os.environ.get('PABAL_KILL_SEED', random.SystemRandom().randrange(1 << 32)))
PAIRS = 6
QUEUES = [f'/queue/passing.{number}' for number in range(PAIRS)]


class Senders:
    """A connection for each queue, each of which waits for the answer to one send before the next."""

    def __init__(self, port, sent):
        self.clients = [Client(port) for _ in QUEUES]
        self.sent = sent
        self.answered = set()

    def run(self):
        for index in range(PAIRS):
            self.send_next(index)
        try:
            while True:
                sockets = [client.socket for client in self.clients]
                for ready in select.select(sockets, [], [], 1)[0]:
                    self.take(sockets.index(ready))
        except Closed:
            pass
        for index, client in enumerate(self.clients):  # its last words are promises, too
            try:
                while client.read_more(5):
                    self.note(client, client.buffered())
            except Closed:
                self.note(client, client.buffered())
            client.close()

    def send_next(self, index):
        self.sent[index] += 1
        name = f'{index}-{self.sent[index]}'
        client = self.clients[index]
        client.send('SEND', {'destination': QUEUES[index], 'persistent': 'true', 'receipt': name},
                    name.encode())
        client.flush()

    def take(self, index):
        client = self.clients[index]
        client.read_more(0)
        if self.note(client, client.buffered()):
            self.send_next(index)

    def note(self, client, frame):
        if frame is None:
            return False
        assert frame.command == 'RECEIPT', frame
        self.answered.add(frame.headers['receipt-id'])
        return True


class Consumers:
    """Acknowledge each message as soon as they see it; now and then not, and now and then late."""

    def __init__(self, port, seed):
        self.random = random.Random(seed)
        self.port = port
        self.clients = [self.open(index) for index in range(PAIRS)]
        self.acknowledged = set()

    def open(self, index):
        client = Client(self.port)
        # What comes before the answer stays where it is until this one leaves.
        client.request('SUBSCRIBE', {'destination': QUEUES[index], 'id': '1',
                                     'ack': 'client-individual'})
        return client

    def run(self):
        try:
            while True:
                sockets = [client.socket for client in self.clients]
                for ready in select.select(sockets, [], [], 1)[0]:
                    self.take(sockets.index(ready))
        except (Closed, OSError, AssertionError):
            pass  # the broker was killed
        for client in self.clients:
            client.close()

    def take(self, index):
        client = self.clients[index]
        client.read_more(0)
        while (frame := client.buffered()) is not None:
            chance = self.random.randrange(1000)
            if chance == 0:  # leaves without a word, with what it has
                client.close()
                self.clients[index] = self.open(index)
                return
            if chance < 5:
                time.sleep(0.003)
            if chance == 5:
                continue
            client.send('ACK', {'id': frame.headers['ack']})
            client.flush()
            self.acknowledged.add(frame.text)


class PassingTest(unittest.TestCase):
    def test_whose_sender_was_answered_is_acknowledged_or_there(self):
        self.check(Broker())

    # Goal: a sender is told, too, when its message is acknowledged on another loop than its own.
    def test_with_two_loops(self):
        with tempfile.NamedTemporaryFile('w', suffix='.xml') as config:
            config.write(stock_with(ioThreads=2))
            config.flush()
            self.check(Broker(config=config.name))

    def check(self, broker):
        print(f'PABAL_KILL_SEED={SEED}')
        chance = random.Random(SEED)
        sent = [0] * PAIRS
        answered, acknowledged = set(), set()
        passed = 0
        with broker:
            for _ in range(ROUNDS):
                consumers = Consumers(broker.ports['stomp'], chance.random())
                senders = Senders(broker.ports['stomp'], sent)
                threads = [threading.Thread(target=each.run) for each in (consumers, senders)]
                for thread in threads:
                    thread.start()
                time.sleep(0.5 + chance.random())
                store = broker.get_json('/api/status')['store']
                passed += store['batchesCancelled']
                broker.kill()
                for thread in threads:
                    thread.join()
                answered |= senders.answered
                acknowledged |= consumers.acknowledged
                broker.start()
            there = self.drain(broker)
        lost = answered - acknowledged - there
        print(f'{len(answered)} answered, {passed} never written, {len(there)} left')
        self.assertEqual(lost, set())
        self.assertGreater(len(answered), 100 * ROUNDS)

    def drain(self, broker):
        there = set()
        for queue in QUEUES:
            with Client(broker.ports['stomp']) as client:
                early = client.request('SUBSCRIBE', {'destination': queue, 'id': '1',
                                                     'ack': 'auto'})
                there |= {frame.text for frame in early}
                name = queue.rsplit('/', 1)[1]
                while True:
                    if (frame := client.buffered()) is not None:
                        there.add(frame.text)
                    elif (not client.read_more(0.2)
                          and broker.get_json('/api/queues/' + name)['depth'] == 0):
                        break
        return there


if __name__ == '__main__':
    unittest.main()
