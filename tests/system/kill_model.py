"""What a broker may do with messages across crashes: the judge of kill_rounds_test.py.

The test reports what it sent, what was answered and what was delivered; the Ledger objects (with a
Violation) as soon as that cannot be right:

  - nothing is delivered that was not sent, was sent in a transaction that never committed, or was
    settled before;
  - what was delivered before comes marked redelivered;
  - one producer's messages of one priority reach one consumer in sending order;
  - when the queues are drained, everything that was confirmed is there, or was acknowledged;
  - a transaction of unknown outcome happened wholly or not at all, sends and acknowledgements.
"""

import zlib


class Violation(AssertionError):
    """The broker broke its promise."""


class Transaction:
    OPEN, COMMITTING, COMMITTED, GONE = 'open', 'committing', 'committed', 'gone'

    def __init__(self, name):
        self.name = name
        self.state = self.OPEN
        self.sends = []
        self.acknowledged = []

    def __repr__(self):
        return f'transaction {self.name} ({self.state})'


class Message:
    __slots__ = ('id', 'producer', 'priority', 'place', 'transaction', 'order', 'confirmed',
                 'deliveries', 'settled', 'acknowledged_by', 'finished', 'history')

    def __init__(self, producer, number, priority, place, transaction):
        self.id = f'{producer}.{number}'
        self.producer = producer
        self.priority = priority
        self.place = place               # the queue, or the durable subscription's topic
        self.transaction = transaction
        self.order = 0                   # of taking effect: a transaction's sends do so at COMMIT
        self.confirmed = False           # its receipt came
        self.deliveries = 0
        self.settled = False             # the receipt of its acknowledgement came
        self.acknowledged_by = None      # 'plain' or a Transaction: sent, outcome not known yet
        self.finished = False            # drained, or known to have never been
        self.history = []

    def __repr__(self):
        return f'{self.id} (priority {self.priority}, {self.place}): {"; ".join(self.history)}'


class Reader:
    """One subscription of one connection, as far as order is concerned."""

    def __init__(self, name, alone):
        self.name = name
        self.alone = alone               # no other consumer competes: even returned messages in order
        self.highest = {}                # (producer, priority) -> last message


class Ledger:
    def __init__(self):
        self.messages = {}
        self.last_order = 0
        self.transactions = []
        self.counts = {'sent': 0, 'confirmed': 0, 'delivered': 0, 'redelivered': 0, 'settled': 0,
                       'committed': 0, 'lost from sockets (auto)': 0}

    # --- what the producers did ------------------------------------------------------------------

    def send(self, producer, number, priority, place, transaction=None):
        """A new message; answers it. Its body is body_of(message, padding)."""
        message = Message(producer, number, priority, place, transaction)
        self.messages[message.id] = message
        self.counts['sent'] += 1
        if transaction:
            transaction.sends.append(message)
        else:
            self._take_place(message)
        message.history.append(f'sent{f" in {transaction.name}" if transaction else ""}')
        return message

    @staticmethod
    def body_of(message, padding):
        head = f'{message.id} {zlib.crc32(padding)} '.encode()
        return head + padding

    def confirmed(self, message):
        """The receipt of a SEND outside of a transaction came."""
        message.confirmed = True
        message.history.append('confirmed')
        self.counts['confirmed'] += 1

    def begin(self, name):
        transaction = Transaction(name)
        self.transactions.append(transaction)
        return transaction

    def committing(self, transaction):
        """COMMIT is on its way."""
        transaction.state = Transaction.COMMITTING
        for message in transaction.sends:
            self._take_place(message)

    def _take_place(self, message):
        self.last_order += 1
        message.order = self.last_order

    def committed(self, transaction):
        """The receipt of COMMIT came."""
        transaction.state = Transaction.COMMITTED
        self.counts['committed'] += 1
        for message in transaction.sends:
            self.confirmed(message)
        for message in transaction.acknowledged:
            self._settle(message)

    def rolled_back(self, transaction):
        """ABORT, or the connection ended before COMMIT was sent. Acknowledgements did not happen."""
        transaction.state = Transaction.GONE
        for message in transaction.acknowledged:
            if message.acknowledged_by is transaction:
                message.acknowledged_by = None
        for message in transaction.sends:
            message.finished = True

    # --- what the consumers saw and did ----------------------------------------------------------

    def delivered(self, reader, frame):
        """Checks one MESSAGE; answers its Message."""
        message_id, checksum, padding = frame.body.split(b' ', 2)
        message = self.messages.get(message_id.decode())
        if message is None:
            raise Violation(f'{message_id} was never sent')
        redelivered = frame.headers.get('redelivered') == 'true'
        message.history.append(f'{"re" if redelivered else ""}delivered to {reader.name}')
        self.counts['delivered'] += 1
        self.counts['redelivered'] += redelivered
        if zlib.crc32(padding) != int(checksum):
            raise Violation(f'the body changed: {message}')
        if message.settled:
            raise Violation(f'delivered after its acknowledgement was confirmed: {message}')
        if message.finished:
            raise Violation(f'delivered, although drained, aborted or never committed: {message}')
        transaction = message.transaction
        if transaction and transaction.state == Transaction.OPEN:
            raise Violation(f'delivered before {transaction} commits: {message}')
        if message.deliveries > 0 and not redelivered:
            raise Violation(f'delivered again without the mark: {message}')
        self._check_order(reader, message, redelivered)
        message.deliveries += 1
        if message.acknowledged_by is not None:
            # It came again, so that acknowledgement did not happen, nor did its transaction.
            if isinstance(message.acknowledged_by, Transaction):
                self._did_not_commit(message.acknowledged_by, message)
            message.acknowledged_by = None
        return message

    @staticmethod
    def _check_order(reader, message, redelivered):
        if redelivered and not reader.alone:
            return  # It comes back from another consumer, at its place among what is left.
        key = (message.producer, message.priority)
        last = reader.highest.get(key)
        if last is not None and message.order <= last.order:
            raise Violation(f'out of order: after {last} came {message}')
        reader.highest[key] = message

    def _did_not_commit(self, transaction, message):
        if any(sent.deliveries for sent in transaction.sends):
            raise Violation(f'{transaction} sent, but did not acknowledge {message}')
        self.rolled_back(transaction)

    def acknowledge(self, message, transaction=None):
        """An ACK is on its way."""
        message.acknowledged_by = transaction or 'plain'
        message.history.append(f'ack sent{f" in {transaction.name}" if transaction else ""}')
        if transaction:
            transaction.acknowledged.append(message)

    def settled(self, message):
        """The receipt of a plain ACK came."""
        self._settle(message)

    def _settle(self, message):
        message.settled = True
        message.acknowledged_by = None
        message.history.append('settled')
        self.counts['settled'] += 1

    # --- the reckoning ---------------------------------------------------------------------------

    def reckon(self, drained, auto_places):
        """Every place is drained and nothing is under way. `drained`: the messages found there."""
        for transaction in self.transactions:
            self._check_atomic(transaction)
        self.transactions.clear()
        for message in self.messages.values():
            self._check_not_lost(message, drained, auto_places)
            message.finished = True

    @staticmethod
    def _check_atomic(transaction):
        if transaction.state != Transaction.COMMITTING:
            return
        there = [bool(message.deliveries) for message in transaction.sends]
        if any(there) and not all(there):
            raise Violation(f'{transaction} sent only in part: {transaction.sends}')
        # Acknowledged, not seen again, and what was sent with it never came: lost.
        gone = [message for message in transaction.acknowledged
                if message.acknowledged_by is transaction]
        if gone and there and not any(there):
            raise Violation(f'{transaction} acknowledged, but did not send: {gone}')

    def _check_not_lost(self, message, drained, auto_places):
        if message in drained or message.finished or message.settled:
            return
        if not message.confirmed or message.acknowledged_by is not None:
            return
        if message.place in auto_places:
            # Done when handed to the socket: what the socket held at the crash may be gone.
            self.counts['lost from sockets (auto)'] += message.deliveries == 0
            return
        raise Violation(f'lost: {message}')
