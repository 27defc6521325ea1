#!/usr/bin/env python3
"""kill -9 at random moments, under load from producers and consumers of every kind.

Producers send with windows of receipts, alone and in transactions; consumers acknowledge one by one,
cumulatively, in transactions that also send on, and automatically; consumers leave without a word.
After each kill the broker starts on the same directory; now and then everything is drained and
reckoned up. kill_model.py says what is allowed.

PABAL_KILL_ROUNDS: how many (10). PABAL_KILL_SEED: where the random numbers start, to run one again.
"""

import os
import random
import select
import sys
import time
import traceback

from broker import Broker, wait_for
from kill_model import Ledger, Reader, Violation
from stomp_client import Closed, ErrorFrame

ROUNDS = int(os.environ.get('PABAL_KILL_ROUNDS', '10'))
SEED = int(os.environ.get('PABAL_KILL_SEED', random.SystemRandom().randrange(1 << 32)))
ROUND_SECONDS_MAX = 1.2
PLACES = ['/queue/kill.shared', '/queue/kill.in', '/queue/kill.out', '/queue/kill.auto',
          '/topic/kill.ledger']
SHARED, INPUT, OUTPUT, AUTO, TOPIC = PLACES
DURABLE_CLIENT = {'client_id': 'kill-rounds'}
DURABLE = {'activemq.subscriptionName': 'ledger'}
DEAD_LETTERS = '/queue/ActiveMQ.DLQ'
# What the kernel and the broker may hold of one connection's deliveries when it is killed.
SOCKET_MESSAGES_MAX = 20_000


class Worker:
    """One connection with something to do; step() never waits for an answer."""

    headers = {}

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.random = world.random
        self.ledger = world.ledger
        self.client = None
        self.receipts = {}   # receipt id -> what to do when it comes
        self.receipt_number = 0

    def open(self):
        self.client = self.world.connect(self.headers)
        self.receipts = {}

    def send(self, command, headers, body=b'', done=None):
        if done:
            self.receipt_number += 1
            receipt = f'{self.receipt_number}'
            self.receipts[receipt] = done
            headers = {**headers, 'receipt': receipt}
        self.client.send(command, headers, body)

    def step(self):
        """Takes in what came, then sends more."""
        self.take()
        self.act()
        self.client.flush()

    def take(self):
        while (frame := self.client.buffered()) is not None:
            if frame.command == 'RECEIPT':
                self.receipts.pop(frame.headers['receipt-id'])()
            elif frame.command == 'MESSAGE':
                self.on_message(frame)
            else:
                raise Violation(f'{self.name} got {frame.command} {frame.headers} {frame.body!r}')

    def take_last_words(self):
        """The broker was killed: reads what it had still written, for those are promises too."""
        try:
            while self.client.read_more(5):
                self.take()
            raise Violation(f'{self.name}: still connected to a broker that was killed')
        except Closed:
            self.take()
        self.client.close()
        self.on_closed()

    def act(self):
        pass

    def on_message(self, frame):
        raise Violation(f'{self.name} got {frame}')

    def on_closed(self):
        pass


class Producer(Worker):
    """Sends persistent messages, each with a receipt, a window of them at a time."""

    def __init__(self, world, name, places):
        super().__init__(world, name)
        self.places = places
        self.number = 0
        self.window = 1

    def open(self):
        super().open()
        self.window = self.random.choice((1, 10, 100))

    def emit(self, place, transaction=None, done=None):
        message = self.ledger.send(self.name, self.number, self.random.choice((4, 4, 4, 7)), place,
                                   transaction)
        self.number += 1
        size = self.random.choice((0, 10, 100, 1000, 1000, 4000))
        if self.random.random() < 0.001:
            size = 300_000
        padding = self.random.randbytes(size)
        headers = {'destination': place, 'persistent': 'true', 'priority': message.priority}
        if transaction:
            headers['transaction'] = transaction.name
        self.send('SEND', headers, self.ledger.body_of(message, padding), done and (
            lambda: done(message)))

    def act(self):
        while len(self.receipts) < self.window:
            self.emit(self.random.choice(self.places), done=self.ledger.confirmed)


class TransactionalProducer(Producer):
    """Sends in transactions, up to three commits under way; some are aborted."""

    def open(self):
        super().open()
        self.under_way = []

    def act(self):
        while len(self.receipts) < 3:
            transaction = self.ledger.begin(f'{self.name}-{self.number}')
            self.under_way.append(transaction)
            self.send('BEGIN', {'transaction': transaction.name})
            for _ in range(self.random.choice((1, 2, 5, 30))):
                self.emit(self.random.choice(self.places), transaction)
            if self.random.random() < 0.2:
                self.send('ABORT', {'transaction': transaction.name})
                self.ledger.rolled_back(transaction)
                self.under_way.remove(transaction)
            elif self.random.random() < 0.1:
                break  # Left open until the next step, to be killed in this state.
            else:
                self.commit(transaction)
        for transaction in self.under_way:
            if transaction.state == transaction.OPEN and self.random.random() < 0.1:
                self.commit(transaction)

    def commit(self, transaction):
        def done():
            self.under_way.remove(transaction)
            self.ledger.committed(transaction)
        self.ledger.committing(transaction)
        self.send('COMMIT', {'transaction': transaction.name}, done=done)

    def on_closed(self):
        for transaction in self.under_way:
            if transaction.state == transaction.OPEN:
                self.ledger.rolled_back(transaction)


class Consumer(Worker):
    """Holds some deliveries, then acknowledges; leaves without a word now and then."""

    def __init__(self, world, name, place, mode, alone, options=None):
        super().__init__(world, name)
        self.place = place
        self.mode = mode
        self.alone = alone
        self.options = options or {}
        self.reader = None
        self.held = []   # (message, ack header)

    def open(self):
        super().open()
        self.held = []
        self.reader = Reader(self.name, self.alone)
        self.hold = self.random.choice((1, 5, 50))
        self.client.send('SUBSCRIBE', {
            'destination': self.place, 'id': '0', 'ack': self.mode, **self.options})

    def on_message(self, frame):
        message = self.ledger.delivered(self.reader, frame)
        if self.mode == 'auto':
            self.ledger.acknowledge(message)  # In the broker, sooner or later: it never says when.
        else:
            self.held.append((message, frame.headers['ack']))

    def act(self):
        if len(self.held) >= self.hold:
            self.acknowledge()
            if self.random.random() < 0.02:
                self.leave()

    def acknowledge(self):
        if self.mode == 'client':
            count = self.random.randint(1, len(self.held))
            settled, self.held = self.held[:count], self.held[count:]
            for message, _ in settled:
                self.ledger.acknowledge(message)
            self.send('ACK', {'id': settled[-1][1]},
                      done=lambda: [self.ledger.settled(message) for message, _ in settled])
            return
        self.random.shuffle(self.held)
        while len(self.held) > self.hold // 3:
            message, ack = self.held.pop()
            self.ledger.acknowledge(message)
            self.send('ACK', {'id': ack}, done=lambda message=message: self.ledger.settled(message))

    def leave(self):
        """Closes with acknowledgements unanswered and deliveries unread."""
        self.client.flush()
        self.client.close()
        self.on_closed()
        self.open()


class Forwarder(Consumer):
    """Consumes and sends on in one transaction, one at a time."""

    def __init__(self, world, name, place, target):
        super().__init__(world, name, place, 'client-individual', alone=True)
        self.producer = Producer(world, f'{name}-out', [target])
        self.transaction = None

    def open(self):
        super().open()
        self.transaction = None
        self.producer.client = self.client

    def act(self):
        if self.transaction is None and len(self.held) >= self.hold:
            if self.random.random() < 0.02:
                self.leave()
            else:
                self.forward()

    def forward(self):
        self.producer.number += 1
        transaction = self.transaction = self.ledger.begin(f'{self.name}-{self.producer.number}')
        self.send('BEGIN', {'transaction': transaction.name})
        for message, ack in self.held:
            self.ledger.acknowledge(message, transaction)
            self.send('ACK', {'id': ack, 'transaction': transaction.name})
            self.producer.emit(self.producer.places[0], transaction)
        if self.random.random() < 0.2:
            # The deliveries stay with us, and are acknowledged in the next transaction.
            def aborted():
                self.transaction = None
            self.ledger.rolled_back(transaction)
            self.send('ABORT', {'transaction': transaction.name}, done=aborted)
            return

        def committed():
            self.transaction = None
            self.ledger.committed(transaction)
        self.held = []
        self.ledger.committing(transaction)
        self.send('COMMIT', {'transaction': transaction.name}, done=committed)

    def on_closed(self):
        if self.transaction and self.transaction.state == self.transaction.OPEN:
            self.ledger.rolled_back(self.transaction)


class World:
    def __init__(self, broker, seed):
        self.broker = broker
        self.random = random.Random(seed)
        self.ledger = Ledger()
        self.workers = [
            Producer(self, 'window-a', [SHARED, INPUT]),
            Producer(self, 'window-b', [SHARED, TOPIC]),
            Producer(self, 'window-c', [AUTO]),
            TransactionalProducer(self, 'transactions-a', [SHARED, INPUT, TOPIC]),
            TransactionalProducer(self, 'transactions-b', [OUTPUT, INPUT]),
            Consumer(self, 'individual', SHARED, 'client-individual', alone=False),
            Consumer(self, 'cumulative', SHARED, 'client', alone=False),
            Forwarder(self, 'forwarder', INPUT, OUTPUT),
            Consumer(self, 'output', OUTPUT, 'client', alone=True),
            Consumer(self, 'automatic', AUTO, 'auto', alone=True),
            self.durable('client'),
        ]

    def durable(self, mode):
        consumer = Consumer(self, 'durable', TOPIC, mode, alone=True, options=DURABLE)
        consumer.headers = DURABLE_CLIENT
        return consumer

    def connect(self, headers):
        """A client id is taken until the broker has seen its last connection go."""
        def attempt():
            try:
                return self.broker.connect(**headers)
            except ErrorFrame:
                if not headers:
                    raise
                return None
        return wait_for(attempt, f'a connection as {headers}')

    def subscribe_durably(self):
        """Before anybody publishes: what came earlier would not be meant for the subscription."""
        with self.connect(DURABLE_CLIENT) as client:
            client.request('SUBSCRIBE', {'destination': TOPIC, 'id': '0', 'ack': 'client',
                                         **DURABLE})
            client.disconnect()

    def run_until_killed(self):
        for worker in self.workers:
            worker.open()
        end = time.monotonic() + self.random.random() * ROUND_SECONDS_MAX
        while time.monotonic() < end:
            readable = self.readable(0.01)
            for worker in self.workers:
                if worker.client in readable:
                    worker.client.read_more(0)
                worker.step()
        self.broker.kill()
        for worker in self.workers:
            worker.take_last_words()

    def readable(self, seconds):
        """The clients that something came for."""
        by_socket = {worker.client.socket: worker.client for worker in self.workers}
        return {by_socket[one] for one in select.select(list(by_socket), [], [], seconds)[0]}

    def restart(self):
        """Sometimes in several attempts, each killed while it recovers."""
        while self.random.random() < 0.2:
            self.broker.start_and_kill(self.random.random() * 0.08)
        self.broker.start()

    def drain(self):
        """Takes everything out of every place, and reckons up."""
        drained = set()
        for place in PLACES:
            drained |= self.drain_place(place)
        self.ledger.reckon(drained, {AUTO})
        if self.drain_place(DEAD_LETTERS):
            raise Violation('something was dead-lettered')

    def drain_place(self, place):
        """A marker of the lowest priority comes after everything else."""
        headers = DURABLE_CLIENT if place == TOPIC else {}
        options = DURABLE if place == TOPIC else {}
        reader = Reader(f'drain of {place}', alone=True)
        drained = set()
        with self.connect(headers) as client:
            client.publish(place, 'marker', priority=0)
            client.send('SUBSCRIBE', {'destination': place, 'id': '0', 'ack': 'client', **options})
            unacknowledged = 0
            while (frame := client.expect('MESSAGE')).body != b'marker':
                drained.add(self.ledger.delivered(reader, frame))
                unacknowledged += 1
                if unacknowledged == 50:
                    unacknowledged = 0
                    client.send('ACK', {'id': frame.headers['ack']})
            client.ack(frame)
            client.disconnect()
        return drained


def main():
    print(f'{ROUNDS} rounds; run again with PABAL_KILL_SEED={SEED}')
    with Broker() as broker:
        world = World(broker, SEED)
        world.subscribe_durably()
        current = 0
        try:
            for current in range(1, ROUNDS + 1):
                world.run_until_killed()
                world.restart()
                if world.random.random() < 0.3 or current == ROUNDS:
                    world.drain()
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            print(f'round {current} of {ROUNDS}; PABAL_KILL_SEED={SEED}')
            raise
        assert broker.terminate() == 0
        counts = world.ledger.counts
        print('; '.join(f'{count} {what}' for what, count in counts.items()))
        assert counts['settled'] > 0 and counts['committed'] > 0, 'nothing happened'
        assert counts['lost from sockets (auto)'] <= ROUNDS * SOCKET_MESSAGES_MAX


if __name__ == '__main__':
    main()
