"""Limits of destinations, slow consumers and what is collected, as a configuration file asks for them:
through the real program, with stomp.py where a client's view matters."""

import json
import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))

import stomp  # noqa: E402  (python3-stomp)
from broker import SOURCE_DIR, Broker, wait_for  # noqa: E402
from stomp_client import Client, Closed  # noqa: E402


def entries(text):
    return ('<destinationPolicy><policyMap><policyEntries>' + text +
            '</policyEntries></policyMap></destinationPolicy>')


def close(connection):
    try:
        if connection.is_connected():
            connection.disconnect()
    except (stomp.exception.NotConnectedException, OSError):
        pass  # the broker has gone, and the library only learns of it now


class Received(stomp.ConnectionListener):
    def __init__(self):
        self.bodies = []
        self.receipts = []
        self.errors = []
        self.closed = threading.Event()

    def on_message(self, frame):
        self.bodies.append(frame.body)

    def on_receipt(self, frame):
        self.receipts.append(frame.headers['receipt-id'])

    def on_error(self, frame):
        self.errors.append(frame.headers.get('message', '') + frame.body)

    def on_disconnected(self):
        self.closed.set()


class TestCase(unittest.TestCase):
    def broker(self, content, attributes=''):
        with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as file:
            self.sample = file.read()
        folder = Broker(start=False)
        self.config = os.path.join(folder._own_directory, 'pabal.xml')
        self.write(content, attributes)
        folder.config = self.config
        folder.start()
        self.addCleanup(folder.close)
        return folder

    def write(self, content, attributes=''):
        text = self.sample.replace('</broker>', content + '</broker>')
        for pair in attributes.split():
            name, value = pair.split('=')
            text = _set_attribute(text, name, value)
        with open(self.config, 'w', encoding='utf-8') as file:
            file.write(text)

    def reload(self, broker):
        os.kill(broker.pid, signal.SIGHUP)
        wait_for(lambda: '"file"' in broker.log_tail() or 'reloaded' in broker.log_tail(), 'reload')
        self.assertNotIn('not reloaded', broker.log_tail())

    def client(self, broker, **headers):
        client = Client(broker.ports['stomp'], **headers)
        self.addCleanup(client.close)
        return client

    def stomp_py(self, broker, **headers):
        connection = stomp.Connection12([('127.0.0.1', broker.ports['stomp'])], heartbeats=(0, 0))
        listener = Received()
        connection.set_listener('', listener)
        connection.connect(wait=True, headers=headers)
        self.addCleanup(close, connection)
        return connection, listener

    def status(self, broker):
        return json.loads(broker.get('/api/status')[1])

    def queue(self, broker, name):
        for destination in self.status(broker)['destinations']:
            if destination['destination'] == f'queue://{name}':
                return destination
        return None


def _set_attribute(text, name, value):
    import re
    changed, count = re.subn(rf'(\n +{name}=)"[^"]*"', rf'\1"{value}"', text, count=1)
    assert count == 1, name
    return changed


class FlowTest(TestCase):
    def test_a_full_queue_holds_up_its_producers_and_nobody_else(self):
        broker = self.broker(entries('<policyEntry queue="small" pabalStoreLimit="10kb"/>'))
        producer, sent = self.stomp_py(broker)
        for number in range(30):
            producer.send('/queue/small', 'x' * 1000, headers={'persistent': 'true'},
                          receipt=f'r{number}')
        wait_for(lambda: len(sent.receipts) >= 9, 'receipts up to the limit')
        blocked = wait_for(lambda: self.status(broker)['blockedProducers'], 'a blocked producer')
        self.assertEqual(blocked[0]['destination'], 'queue://small')
        self.assertIn('pabalStoreLimit', blocked[0]['reason'])
        self.assertLessEqual(len(sent.receipts), 11)
        self.assertEqual(self.queue(broker, 'small')['producersBlocked'], 1)
        other, others = self.stomp_py(broker)
        other.send('/queue/large', 'y', headers={'persistent': 'true'}, receipt='other')
        wait_for(lambda: others.receipts == ['other'], 'the receipt of another destination')
        consumer, received = self.stomp_py(broker)
        consumer.subscribe('/queue/small', id='1')
        wait_for(lambda: len(received.bodies) == 30, 'all messages')
        wait_for(lambda: len(sent.receipts) == 30, 'all receipts')
        self.assertEqual(sent.receipts, [f'r{number}' for number in range(30)])
        self.assertEqual(self.status(broker)['blockedProducers'], [])

    def test_what_waits_is_not_lost_when_the_broker_dies(self):
        broker = self.broker(entries('<policyEntry queue="small" pabalStoreLimit="10kb"/>'))
        producer, sent = self.stomp_py(broker)
        for number in range(20):
            producer.send('/queue/small', str(number).ljust(1000), headers={'persistent': 'true'},
                          receipt=f'r{number}')
        wait_for(lambda: self.status(broker)['blockedProducers'], 'a blocked producer')
        broker.kill()
        confirmed = len(sent.receipts)
        broker.start()
        reader = self.client(broker)
        reader.send('SUBSCRIBE', {'id': '1', 'destination': '/queue/small', 'ack': 'auto'})
        bodies = [reader.expect('MESSAGE').text.strip() for _ in range(confirmed)]
        self.assertEqual(bodies, [str(number) for number in range(confirmed)])

    def test_a_policy_refuses_at_once_or_after_a_time(self):
        broker = self.broker(entries(
            '<policyEntry queue="now" pabalStoreLimit="1kb" sendFailIfNoSpace="true"/>'
            '<policyEntry queue="later" pabalStoreLimit="1kb" sendFailIfNoSpaceAfterTimeout="300"/>'))
        for name in ('now', 'later'):
            producer, sent = self.stomp_py(broker)
            for number in range(3):
                producer.send(f'/queue/{name}', 'x' * 1000, headers={'persistent': 'true'},
                              receipt=f'r{number}')
            wait_for(lambda: sent.errors, f'an ERROR of {name}')  # noqa: B023
            self.assertIn('pabalStoreLimit of queue://' + name, sent.errors[0])

    def test_a_reload_changes_the_limit_of_those_that_wait(self):
        broker = self.broker(entries('<policyEntry queue="small" pabalStoreLimit="2kb"/>'))
        producer, sent = self.stomp_py(broker)
        for number in range(10):
            producer.send('/queue/small', 'x' * 1000, headers={'persistent': 'true'},
                          receipt=f'r{number}')
        wait_for(lambda: self.status(broker)['blockedProducers'], 'a blocked producer')
        self.write(entries('<policyEntry queue="small" pabalStoreLimit="1mb"/>'))
        self.reload(broker)
        wait_for(lambda: len(sent.receipts) == 10, 'all receipts')

    def test_a_file_that_is_wrong_changes_nothing(self):
        broker = self.broker(entries('<policyEntry queue="small" pabalStoreLimit="2kb"/>'))
        self.write(entries('<policyEntry queue="small" pabalStoreLimit="2 parsecs"/>'))
        os.kill(broker.pid, signal.SIGHUP)
        wait_for(lambda: 'not reloaded' in broker.log_tail(), 'a refusal')
        producer, sent = self.stomp_py(broker)
        for number in range(10):
            producer.send('/queue/small', 'x' * 1000, headers={'persistent': 'true'}, receipt='r')
        wait_for(lambda: self.status(broker)['blockedProducers'], 'a blocked producer')


class StoreUsageTest(TestCase):
    """storeUsage holds producers up, and nobody else, until consumers made room."""

    LIMIT = 100_000

    @staticmethod
    def usage(limit, attributes=''):
        return (f'<systemUsage><systemUsage {attributes}><memoryUsage><memoryUsage limit="64mb"/>'
                f'</memoryUsage><storeUsage><storeUsage limit="{limit}"/></storeUsage>'
                '<tempUsage><tempUsage limit="1gb"/></tempUsage></systemUsage></systemUsage>')

    def fill(self, broker, queue, count):
        """A connection whose sends wait; what it is told."""
        producer, sent = self.stomp_py(broker)
        for number in range(count):
            producer.send(f'/queue/{queue}', str(number).ljust(1000),
                          headers={'persistent': 'true'}, receipt=f'r{number}')
        wait_for(lambda: self.status(broker)['blockedProducers'], 'a blocked producer')
        if count > 1:  # those that found room have to be synced first
            wait_for(lambda: len(sent.receipts) > 70, 'the receipts of what found room')
        return producer, sent

    def take(self, broker, queue, count):
        reader = self.client(broker)
        arrived = reader.subscribe(f'/queue/{queue}', ack='client-individual')
        bodies = []
        while len(bodies) < count:
            message = arrived.pop(0) if arrived else reader.expect('MESSAGE')
            bodies.append(message.text.strip())
            arrived.extend(reader.ack(message))
        reader.disconnect()
        return bodies

    def test_a_producer_is_held_and_told_why_and_goes_on(self):
        broker = self.broker(self.usage(self.LIMIT))
        early, _ = self.stomp_py(broker)
        early.send('/queue/other', 'early', headers={'persistent': 'true'}, receipt='e')
        _, sent = self.fill(broker, 'big', 150)
        self.assertEqual(sent.errors, [])
        confirmed = len(sent.receipts)
        self.assertGreater(confirmed, 70)
        self.assertLess(confirmed, 101)

        blocked = self.status(broker)['blockedProducers']
        self.assertEqual(len(blocked), 1)
        self.assertIn(f'the limit of {self.LIMIT} bytes (storeUsage) is reached',
                      blocked[0]['reason'])
        explained = broker.get_json('/api/explain?queue=big')
        self.assertEqual(len(explained['producers']), 1)
        self.assertIn('storeUsage', explained['producers'][0]['reason'])
        store = self.status(broker)['store']
        self.assertTrue(store['full'])
        self.assertIn('storeUsage', store['fullReason'])
        self.assertLessEqual(store['bytesLive'], self.LIMIT)
        self.assertEqual(broker.get_json('/health')['status'], 'ok',
                         'waiting for consumers is no illness')

        # Everybody else: consumers of other queues, and what is not stored.
        self.assertEqual(self.take(broker, 'other', 1), ['early'])
        light = self.client(broker)
        light.request('SEND', {'destination': '/queue/light'}, b'not stored')

        self.assertEqual(self.take(broker, 'big', 150), [str(number) for number in range(150)])
        wait_for(lambda: len(sent.receipts) == 150, 'all receipts')
        self.assertEqual(sent.receipts, [f'r{number}' for number in range(150)])
        self.assertEqual(sent.errors, [])
        self.assertEqual(self.status(broker)['blockedProducers'], [])
        self.assertFalse(self.status(broker)['store']['full'])

    def test_the_acknowledgements_of_a_held_connection_make_its_room(self):
        broker = self.broker(self.usage(self.LIMIT))
        first = self.client(broker)
        for number in range(50):
            first.request('SEND', {'destination': '/queue/in', 'persistent': 'true'},
                          str(number).ljust(1000).encode())
        connection, sent = self.stomp_py(broker)
        deliveries = []
        sent.on_message = deliveries.append
        connection.subscribe('/queue/in', id='1', ack='client-individual')
        wait_for(lambda: len(deliveries) == 50, 'all deliveries')
        for number in range(90):
            connection.send('/queue/out', str(number).ljust(1000), headers={'persistent': 'true'},
                            receipt=f'r{number}')
        wait_for(lambda: self.status(broker)['blockedProducers'], 'a blocked producer')
        self.assertLess(len(sent.receipts), 50)
        for frame in deliveries:
            connection.ack(frame.headers['ack'])
        wait_for(lambda: len(sent.receipts) == 90, 'all receipts')
        self.assertEqual(sent.errors, [])
        self.assertEqual(self.queue(broker, 'in')['depth'], 0)

    def test_what_was_confirmed_survives_a_death_while_others_wait(self):
        broker = self.broker(self.usage(self.LIMIT))
        _, sent = self.fill(broker, 'big', 150)
        broker.kill()
        confirmed = len(sent.receipts)
        # Started over a limit that is lower by now: nothing gets in before enough has gone.
        self.write(self.usage(self.LIMIT // 2))
        broker.start()
        self.assertGreater(self.status(broker)['store']['bytesLive'], self.LIMIT // 2)
        _, waits = self.fill(broker, 'next', 1)
        self.assertEqual(waits.receipts, [])
        # The last one written may have had its receipt on the way.
        depth = self.queue(broker, 'big')['depth']
        self.assertGreaterEqual(depth, confirmed)
        self.assertEqual(self.take(broker, 'big', depth), [str(number) for number in range(depth)])
        wait_for(lambda: waits.receipts == ['r0'], 'the receipt of the one that waited')

    def test_a_transaction_larger_than_the_limit_fails(self):
        broker = self.broker(self.usage(self.LIMIT))
        client = self.client(broker)
        client.request('BEGIN', {'transaction': 't'})
        for number in range(150):
            client.send('SEND', {'destination': '/queue/q', 'persistent': 'true',
                                 'transaction': 't'}, str(number).ljust(1000).encode())
        error = client.expect('ERROR')
        said = error.headers['message'] + error.text
        self.assertIn('open transactions have', said)
        self.assertIn('storeUsage', said)
        client = self.client(broker)
        client.request('SEND', {'destination': '/queue/q', 'persistent': 'true'}, b'after')
        self.assertEqual(self.take(broker, 'q', 1), ['after'])

    def test_errors_where_they_are_asked_for(self):
        broker = self.broker(
            self.usage(self.LIMIT) +
            entries('<policyEntry queue="now" sendFailIfNoSpace="true"/>'
                    '<policyEntry queue="later" sendFailIfNoSpaceAfterTimeout="300"/>'))
        self.fill(broker, 'big', 150)
        for name in ('now', 'later'):
            client = self.client(broker)
            client.send('SEND', {'destination': f'/queue/{name}', 'persistent': 'true'},
                        b'x' * 1000)
            error = client.expect('ERROR')
            self.assertIn('storeUsage', error.headers['message'] + error.text)


class SlowConsumerTest(TestCase):
    def test_a_topic_consumer_that_lags_loses_the_oldest(self):
        broker = self.broker(entries(
            '<policyEntry topic="prices"><pendingMessageLimitStrategy>'
            '<constantPendingMessageLimitStrategy limit="5"/></pendingMessageLimitStrategy>'
            '</policyEntry>'))
        reader = self.client(broker)
        reader.request('SUBSCRIBE', {'id': '1', 'destination': '/topic/prices', 'ack': 'client',
                                     'activemq.prefetchSize': '2'})
        sender = self.client(broker)
        for number in range(20):
            sender.request('SEND', {'destination': '/topic/prices'}, str(number).encode())
        bodies = []
        for _ in range(7):
            message = reader.expect('MESSAGE')
            bodies.append(message.text)
            reader.send('ACK', {'id': message.headers['ack']})
        self.assertEqual(bodies, ['0', '1', '15', '16', '17', '18', '19'])
        self.assertEqual(self.status(broker)['engine']['totals']['dropped'], 13)

    def test_a_slow_consumer_is_told_why_it_ends(self):
        broker = self.broker(entries(
            '<policyEntry queue=">"><slowConsumerStrategy><abortSlowConsumerStrategy '
            'maxSlowDuration="400" checkPeriod="100"/></slowConsumerStrategy></policyEntry>'))
        reader = self.client(broker)
        reader.request('SUBSCRIBE', {'id': '1', 'destination': '/queue/a', 'ack': 'client',
                                     'activemq.prefetchSize': '1'})
        sender = self.client(broker)
        for _ in range(3):
            sender.request('SEND', {'destination': '/queue/a', 'persistent': 'true'}, b'x')
        reader.expect('MESSAGE')
        error = reader.expect('ERROR')
        self.assertIn('slow consumer of queue://a', error.headers['message'] + error.text)
        with self.assertRaises(Closed):
            reader.receive()
        other = self.client(broker)
        other.send('SUBSCRIBE', {'id': '1', 'destination': '/queue/a'})
        for _ in range(3):
            other.expect('MESSAGE')

    def test_the_policys_prefetch_is_for_those_that_name_none(self):
        broker = self.broker(entries('<policyEntry queue="a" queuePrefetch="2"/>'))
        sender = self.client(broker)
        for _ in range(10):
            sender.request('SEND', {'destination': '/queue/a'}, b'x')
        reader = self.client(broker)
        others = reader.request('SUBSCRIBE', {'id': '1', 'destination': '/queue/a', 'ack': 'client'})
        wait_for(lambda: self.queue(broker, 'a')['inFlight'] == 2, 'two deliveries')
        self.assertLessEqual(len(others), 2)


class EngineLimitTest(TestCase):
    def test_limits_of_the_file_are_those_of_the_engine(self):
        broker = self.broker('', 'compositeTargetsMax=2 scheduledVolatileMax=1')
        client = self.client(broker)
        client.request('SEND', {'destination': '/queue/a,/queue/b'}, b'two')
        self.assertEqual(self.queue(broker, 'b')['depth'], 1)
        client.send('SEND', {'destination': '/queue/a,/queue/b,/queue/c'}, b'three')
        self.assertIn('composite_targets_max', client.expect('ERROR').headers['message'])
        self.assertIsNone(self.queue(broker, 'c'))
        client = self.client(broker)
        later = {'destination': '/queue/later', 'AMQ_SCHEDULED_DELAY': '3600000'}
        client.request('SEND', later, b'first')
        client.send('SEND', later, b'second')
        self.assertIn('scheduled_volatile_max', client.expect('ERROR').headers['message'])


class CollectTest(TestCase):
    def test_queues_that_nobody_uses_go_and_those_of_the_file_stay(self):
        broker = self.broker(
            entries('<policyEntry queue=">" gcInactiveDestinations="true" '
                    'inactiveTimeoutBeforeGC="300"/>') +
            '<destinations><queue physicalName="listed"/></destinations>',
            'schedulePeriodForDestinationPurge=100')
        client = self.client(broker)
        client.request('SEND', {'destination': '/queue/full', 'persistent': 'true'}, b'x')
        client.request('SUBSCRIBE', {'id': '1', 'destination': '/queue/empty'})
        client.request('UNSUBSCRIBE', {'id': '1'})
        wait_for(lambda: self.queue(broker, 'empty') is None, 'the empty queue to go')
        self.assertIsNotNone(self.queue(broker, 'full'))
        self.assertIsNotNone(self.queue(broker, 'listed'))
        broker.kill()
        broker.start()
        self.assertIsNotNone(self.queue(broker, 'full'))
        self.assertIsNone(self.queue(broker, 'empty'))
        client = self.client(broker)
        client.request('SEND', {'destination': '/queue/empty', 'persistent': 'true'}, b'again')
        client.send('SUBSCRIBE', {'id': '1', 'destination': '/queue/empty'})
        self.assertEqual(client.expect('MESSAGE').text, 'again')

    def test_durable_subscriptions_of_clients_that_stay_away_go(self):
        broker = self.broker('', 'offlineDurableSubscriberTimeout=300 '
                                 'offlineDurableSubscriberTaskSchedule=100')
        client = self.client(broker, client_id='away')
        client.request('SUBSCRIBE', {'id': '1', 'destination': '/topic/t',
                                     'activemq.subscriptionName': 'd'})
        self.assertEqual(self.status(broker)['engine']['durableSubscriptions'], 1)
        time.sleep(0.5)  # longer than the timeout: who is there keeps it
        self.assertEqual(self.status(broker)['engine']['durableSubscriptions'], 1)
        client.close()
        wait_for(lambda: self.status(broker)['engine']['durableSubscriptions'] == 0, 'it to go')


if __name__ == '__main__':
    unittest.main()
