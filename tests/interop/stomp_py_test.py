#!/usr/bin/env python3
"""stomp.py (Debian's python3-stomp) against the running program, in STOMP 1.0, 1.1 and 1.2."""

import queue
import sys
import threading
import unittest

import stomp

from broker import WAIT_SECONDS, Broker

DEAD_LETTERS = '/queue/ActiveMQ.DLQ'
# Letters of every UTF-8 length, and beyond the first 65,536 code points.
TEXT = 'payroll für 김철수 ☂ 🐎'


class Inbox(stomp.ConnectionListener):
    """What the library hands over, in queues, so that a test waits for it and for nothing else."""

    def __init__(self):
        self.messages = queue.Queue()
        self.receipts = queue.Queue()
        self.errors = queue.Queue()
        self.heartbeats = threading.Semaphore(0)
        self.lost = threading.Event()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers['receipt-id'])

    def on_error(self, frame):
        self.errors.put(frame)

    def on_heartbeat(self):
        self.heartbeats.release()

    def on_disconnected(self):
        self.lost.set()


class Peer:
    """One stomp.py connection and its inbox."""

    KINDS = {'1.0': stomp.Connection10, '1.1': stomp.Connection11, '1.2': stomp.Connection12}

    def __init__(self, port, version, client_id=None, auto_decode=True, heartbeats=(0, 0)):
        arguments = {'auto_decode': auto_decode}
        if version != '1.0':
            arguments['heartbeats'] = heartbeats
        self.inbox = Inbox()
        self.version = version
        self.library = self.KINDS[version]([('127.0.0.1', port)], **arguments)
        self.library.set_listener('', self.inbox)
        self.library.connect(wait=True, **({'headers': {'client-id': client_id}} if client_id else {}))
        self._receipts = 0

    def close(self):
        try:
            if self.library.is_connected():
                self.library.disconnect()
        except (stomp.exception.NotConnectedException, OSError):
            pass  # the broker was killed, and the library only learns of it now

    def drop(self):
        """Goes without DISCONNECT."""
        self.library.transport.disconnect_socket()
        assert self.inbox.lost.wait(WAIT_SECONDS)

    def _await_receipt(self, call):
        self._receipts += 1
        receipt = f'r{self._receipts}'
        call(receipt)
        answer = self.inbox.receipts.get(timeout=WAIT_SECONDS)
        assert answer == receipt, f'receipt {answer} instead of {receipt}'

    def send(self, destination, body, **headers):
        self._await_receipt(lambda receipt: self.library.send(destination, body, receipt=receipt,
                                                              **headers))

    def subscribe(self, destination, ack='auto', **headers):
        self._await_receipt(lambda receipt: self.library.subscribe(
            destination, id='s', ack=ack, headers={'receipt': receipt, **headers}))

    def message(self):
        return self.inbox.messages.get(timeout=WAIT_SECONDS)

    def bodies(self, count):
        return [self.message().body for _ in range(count)]

    def _handle(self, frame):
        if self.version == '1.0':
            return (frame.headers['message-id'],)
        if self.version == '1.1':
            return (frame.headers['message-id'], 's')
        return (frame.headers['ack'],)

    def ack(self, frame, **more):
        self.library.ack(*self._handle(frame), **more)

    def nack(self, frame, **more):
        self.library.nack(*self._handle(frame), **more)

    def synchronize(self):
        """Everything sent before has been acted upon, durably."""
        self.send('/topic/nobody.listens', 'x')


class StompPyTest(unittest.TestCase):
    """The tests of one version; a subclass names it."""

    version = None

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.addClassCleanup(cls.broker.close)

    def setUp(self):
        self.name = f'{self.id().rsplit(".", 1)[-1]}.{self.version}'
        self.queue = f'/queue/{self.name}'
        self.topic = f'/topic/{self.name}'

    def peer(self, **options):
        peer = Peer(self.broker.ports['stomp'], self.version, **options)
        self.addCleanup(peer.close)
        return peer

    def filled(self, *bodies):
        sender = self.peer()
        for body in bodies:
            sender.send(self.queue, body, persistent='true')
        return sender

    # --- sending and receiving -------------------------------------------------------------------

    def test_text_and_headers_arrive_as_sent(self):
        sender, receiver = self.peer(), self.peer()
        receiver.subscribe(self.queue)
        sender.send(self.queue, TEXT, persistent='true', priority=7, type='order',
                    **{'correlation-id': 'c-1', 'reply-to': '/queue/answers', 'employee': TEXT})
        frame = receiver.message()
        self.assertEqual(frame.body, TEXT)
        for name, value in {'destination': self.queue, 'persistent': 'true', 'priority': '7',
                            'type': 'order', 'correlation-id': 'c-1', 'employee': TEXT,
                            'reply-to': '/queue/answers', 'subscription': 's'}.items():
            self.assertEqual(frame.headers.get(name), value, name)
        self.assertNotIn('redelivered', frame.headers)

    def test_every_byte_value_arrives(self):
        receiver = self.peer(auto_decode=False)
        receiver.subscribe(self.queue)
        body = bytes(range(256)) * 3 + b'\0'
        self.peer().send(self.queue, body)
        frame = receiver.message()
        self.assertEqual(frame.body, body)
        self.assertEqual(frame.headers['content-length'], str(len(body)))

    def test_a_body_larger_than_every_buffer(self):
        receiver = self.peer(auto_decode=False)
        receiver.subscribe(self.queue)
        body = bytes(range(251)) * 20_000  # 5 MB
        self.peer().send(self.queue, body, persistent='true')
        self.assertTrue(receiver.message().body == body, 'the body changed')

    def test_an_empty_body(self):
        receiver = self.peer()
        receiver.subscribe(self.queue)
        self.peer().send(self.queue, '')
        self.assertEqual(receiver.message().body, '')

    def test_messages_keep_their_order(self):
        bodies = [f'{n}' for n in range(500)]
        sender = self.peer()
        for body in bodies:
            sender.library.send(self.queue, body, persistent='true')
        sender.synchronize()
        receiver = self.peer()
        receiver.subscribe(self.queue)
        self.assertEqual(receiver.bodies(500), bodies)

    def test_a_higher_priority_overtakes(self):
        sender = self.peer()
        for priority in (1, 9, 4):
            sender.send(self.queue, f'{priority}', priority=priority)
        receiver = self.peer()
        receiver.subscribe(self.queue)
        self.assertEqual(receiver.bodies(3), ['9', '4', '1'])

    def test_every_subscriber_of_a_topic_and_no_other_gets_it(self):
        first, second, wild, other = (self.peer() for _ in range(4))
        first.subscribe(self.topic)
        second.subscribe(self.topic)
        wild.subscribe('/topic/test_every_subscriber_of_a_topic_and_no_other_gets_it.>')
        other.subscribe(f'{self.topic}.other')
        self.peer().send(self.topic, 'news')
        self.peer().send(f'{self.topic}.other', 'other news')
        self.assertEqual(first.bodies(1), ['news'])
        self.assertEqual(second.bodies(1), ['news'])
        self.assertEqual(wild.bodies(2), ['news', 'other news'])
        self.assertEqual(other.bodies(1), ['other news'])

    def test_after_unsubscribing_nothing_comes(self):
        receiver = self.peer()
        receiver.subscribe(self.queue)
        self.filled('one')
        self.assertEqual(receiver.bodies(1), ['one'])
        receiver.library.unsubscribe(id='s')
        receiver.synchronize()
        self.filled('two')
        # The next subscriber gets it, so the first one did not.
        second = self.peer()
        second.subscribe(self.queue)
        self.assertEqual(second.bodies(1), ['two'])
        self.assertTrue(receiver.inbox.messages.empty())

    # --- acknowledging ---------------------------------------------------------------------------

    def test_client_acknowledgement_covers_what_came_before(self):
        self.filled('one', 'two', 'three')
        receiver = self.peer()
        receiver.subscribe(self.queue, ack='client')
        frames = [receiver.message() for _ in range(3)]
        receiver.ack(frames[1])
        receiver.synchronize()
        receiver.drop()
        second = self.peer()
        second.subscribe(self.queue)
        frame = second.message()
        self.assertEqual((frame.body, frame.headers.get('redelivered')), ('three', 'true'))
        self.assertTrue(second.inbox.messages.empty())

    def test_individual_acknowledgement_covers_one(self):
        self.filled('one', 'two', 'three')
        receiver = self.peer()
        receiver.subscribe(self.queue, ack='client-individual')
        frames = [receiver.message() for _ in range(3)]
        receiver.ack(frames[1])
        receiver.synchronize()
        receiver.drop()
        second = self.peer()
        second.subscribe(self.queue)
        frames = [second.message() for _ in range(2)]
        self.assertEqual([frame.body for frame in frames], ['one', 'three'])
        self.assertEqual([frame.headers.get('redelivered') for frame in frames], ['true', 'true'])

    def test_a_wrong_acknowledgement_is_an_error(self):
        if self.version != '1.2':
            self.skipTest('a malformed message-id closes the connection')
        receiver = self.peer()
        receiver.subscribe(self.queue, ack='client')
        receiver.library.ack('no-such-ack')
        error = receiver.inbox.errors.get(timeout=WAIT_SECONDS)
        self.assertIn('ACK', error.headers['message'])

    def test_what_is_refused_goes_to_the_dead_letter_queue(self):
        if self.version == '1.0':
            self.skipTest('STOMP 1.0 has no NACK')
        self.filled('poison', 'food')
        receiver = self.peer()
        receiver.subscribe(self.queue, ack='client-individual')
        poison, food = receiver.message(), receiver.message()
        receiver.nack(poison)
        receiver.ack(food)
        receiver.synchronize()
        undertaker = self.peer()
        undertaker.subscribe(DEAD_LETTERS)
        frame = undertaker.message()
        self.assertEqual(frame.body, 'poison')
        self.assertEqual(frame.headers['original-destination'], self.queue)
        self.assertIn('dlqDeliveryFailureCause', frame.headers)
        receiver.drop()
        self.assertTrue(receiver.inbox.messages.empty())

    # --- transactions ----------------------------------------------------------------------------

    def test_a_transaction_is_seen_when_it_commits(self):
        sender, receiver = self.peer(), self.peer()
        receiver.subscribe(self.queue)
        aborted = sender.library.begin()
        sender.send(self.queue, 'never', transaction=aborted)
        sender.library.abort(aborted)
        committed = sender.library.begin()
        sender.send(self.queue, 'one', transaction=committed, persistent='true')
        sender.send(self.queue, 'two', transaction=committed, persistent='true')
        sender.send(self.queue, 'outside')
        self.assertEqual(receiver.bodies(1), ['outside'])
        sender.library.commit(committed)
        self.assertEqual(receiver.bodies(2), ['one', 'two'])

    def test_an_aborted_acknowledgement_did_not_happen(self):
        self.filled('one')
        receiver = self.peer()
        receiver.subscribe(self.queue, ack='client-individual')
        frame = receiver.message()
        transaction = receiver.library.begin()
        receiver.ack(frame, transaction=transaction)
        receiver.library.abort(transaction)
        receiver.synchronize()
        receiver.drop()
        second = self.peer()
        second.subscribe(self.queue, ack='client-individual')
        frame = second.message()
        self.assertEqual(frame.body, 'one')
        transaction = second.library.begin()
        second.ack(frame, transaction=transaction)
        second.library.commit(transaction)
        second.synchronize()
        second.drop()
        # Consumed for good: the next message is the first that a third one sees.
        self.filled('two')
        third = self.peer()
        third.subscribe(self.queue)
        self.assertEqual(third.bodies(1), ['two'])

    # --- durable subscriptions -------------------------------------------------------------------

    def test_a_durable_subscription_keeps_what_came_meanwhile(self):
        durable = {'activemq.subscriptionName': 'ledger'}
        client_id = f'client-{self.version}'
        first = self.peer(client_id=client_id)
        first.subscribe(self.topic, ack='client-individual', **durable)
        sender = self.peer()
        sender.send(self.topic, 'present', persistent='true')
        frame = first.message()
        self.assertEqual(frame.body, 'present')
        first.ack(frame)
        first.synchronize()
        first.close()
        sender.send(self.topic, 'absent', persistent='true')
        second = self.peer(client_id=client_id)
        second.subscribe(self.topic, ack='client-individual', **durable)
        self.assertEqual(second.bodies(1), ['absent'])

    # --- heart-beats -----------------------------------------------------------------------------

    def test_heart_beats_come_as_asked_for(self):
        if self.version == '1.0':
            self.skipTest('STOMP 1.0 has no heart-beats')
        peer = self.peer(heartbeats=(200, 200))
        for _ in range(5):
            self.assertTrue(peer.inbox.heartbeats.acquire(timeout=WAIT_SECONDS))
        peer.send(self.queue, 'still here')
        self.assertFalse(peer.inbox.lost.is_set())


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for version in Peer.KINDS:
        case = type(f'StompPy{version.replace(".", "")}Test', (StompPyTest,), {'version': version})
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
