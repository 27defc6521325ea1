#!/usr/bin/env python3
"""Composite destinations, virtual topics, forwarding, mirrors and retroactive consumers: configured
in XML, used through stomp.py, and killed in between."""

import os
import queue
import sys
import tempfile
import unittest

import stomp

from broker import WAIT_SECONDS, Broker, run, wait_for

INTERCEPTORS = '''
    <destinationInterceptors>
      <virtualDestinationInterceptor><virtualDestinations>
        <virtualTopic name="VirtualTopic.&gt;" prefix="Consumer.*."/>
        <virtualTopic name="Aware.&gt;" prefix="For.*." selectorAware="true"/>
        <compositeQueue name="orders" forwardOnly="true" sendWhenNotMatched="true">
          <forwardTo>
            <filteredDestination queue="orders.large" selector="size &gt; 100"/>
            <filteredDestination topic="orders.urgent" selector="urgent = 'yes'"/>
          </forwardTo>
        </compositeQueue>
        <compositeTopic name="news" forwardOnly="false">
          <forwardTo><queue physicalName="news.archive"/></forwardTo>
        </compositeTopic>
      </virtualDestinations></virtualDestinationInterceptor>
      <mirroredQueue prefix="Mirror."/>
    </destinationInterceptors>
    <destinationPolicy><policyMap><policyEntries>
      <policyEntry topic="prices.&gt;">
        <subscriptionRecoveryPolicy>
          <fixedCountSubscriptionRecoveryPolicy maximumSize="2"/>
        </subscriptionRecoveryPolicy>
      </policyEntry>
      <policyEntry topic="status" alwaysRetroactive="true">
        <subscriptionRecoveryPolicy><lastImageSubscriptionRecoveryPolicy/></subscriptionRecoveryPolicy>
      </policyEntry>
    </policyEntries></policyMap></destinationPolicy>
'''


def configuration(folder):
    """The smallest file with what these tests need; listeners and data as the other tests have them."""
    path = os.path.join(folder, 'routing.xml')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'''<?xml version="1.0" encoding="UTF-8"?>
<beans><broker xmlns="http://activemq.apache.org/schema/core" brokerName="localhost">
{INTERCEPTORS}
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:0"/>
    </transportConnectors>
</broker></beans>
''')
    return path


class Inbox(stomp.ConnectionListener):
    """What the library hands over, in queues, so that a test waits for it and for nothing else."""

    def __init__(self):
        self.messages = queue.Queue()
        self.answers = queue.Queue()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.answers.put(('receipt', frame))

    def on_error(self, frame):
        self.answers.put(('error', frame))


class Peer:
    def __init__(self, port):
        self.inbox = Inbox()
        self.library = stomp.Connection12([('127.0.0.1', port)])
        self.library.set_listener('', self.inbox)
        self.library.connect(wait=True)
        self._receipts = 0

    def close(self):
        try:
            if self.library.is_connected():
                self.library.disconnect()
        except (stomp.exception.NotConnectedException, OSError):
            pass  # the broker was killed, and the library only learns of it now

    def _answer(self, call):
        """Makes the call with a receipt; answers None, or the text of the error."""
        self._receipts += 1
        call(f'r{self._receipts}')
        kind, frame = self.inbox.answers.get(timeout=WAIT_SECONDS)
        return None if kind == 'receipt' else frame.headers['message']

    def send(self, destination, body, **headers):
        return self._answer(lambda receipt: self.library.send(
            destination, body, receipt=receipt, persistent='true', **headers))

    def subscribe(self, destination, name='s', ack='auto', **headers):
        return self._answer(lambda receipt: self.library.subscribe(
            destination, id=name, ack=ack, headers={'receipt': receipt, **headers}))

    def unsubscribe(self, name='s'):
        return self._answer(lambda receipt: self.library.unsubscribe(
            name, headers={'receipt': receipt}))

    def messages(self, count):
        return [self.inbox.messages.get(timeout=WAIT_SECONDS) for _ in range(count)]


def places(frames):
    return sorted((frame.body, frame.headers['destination'],
                   frame.headers.get('original-destination')) for frame in frames)


class RoutingTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.broker = Broker(config=configuration(folder.name))
        self.addCleanup(self.broker.close)

    def peer(self):
        peer = Peer(self.broker.ports['stomp'])
        self.addCleanup(peer.close)
        return peer

    def restart(self):
        self.broker.kill()
        self.broker.start()

    def depth(self, name):
        for each in self.broker.get_json('/api/queues')['queues']:
            if each['name'] == name:
                return each['depth']
        return 0

    def waiting(self, destination):
        """Takes all that waits there, as (body, destination, original destination)."""
        name = destination.removeprefix('/queue/')
        peer = self.peer()
        self.assertIsNone(peer.subscribe(destination))
        # What comes is acknowledged when it is in the socket; the answer to this comes behind it.
        wait_for(lambda: self.depth(name) == 0, f'{name} to be empty')
        self.assertIsNone(peer.unsubscribe())
        found = []
        while not peer.inbox.messages.empty():
            found.append(peer.inbox.messages.get())
        peer.close()
        return places(found)

    def test_virtual_topic_queues_keep_their_messages_over_a_kill(self):
        sender, reader = self.peer(), self.peer()
        for name in ('A', 'B'):
            self.assertIsNone(reader.subscribe(f'/queue/Consumer.{name}.VirtualTopic.pay', name,
                                               ack='client-individual'))
        reader.close()
        for i in range(100):
            self.assertIsNone(sender.send('/topic/VirtualTopic.pay', str(i)))
        self.restart()
        for name in ('A', 'B'):
            place = f'/queue/Consumer.{name}.VirtualTopic.pay'
            self.assertEqual(self.waiting(place), sorted(
                (str(i), place, '/topic/VirtualTopic.pay') for i in range(100)))

    def test_composite_sends_are_everywhere_or_nowhere_after_a_kill(self):
        sender = self.peer()
        for i in range(50):
            self.assertIsNone(sender.send('/queue/one,/queue/two,/topic/three', str(i)))
        # What got no receipt may be there or not, but the same in both.
        for i in range(50, 400):
            sender.library.send('/queue/one,/queue/two', str(i), persistent='true')
        self.restart()
        one = [body for body, _, _ in self.waiting('/queue/one')]
        two = [body for body, _, _ in self.waiting('/queue/two')]
        self.assertEqual(one, two)
        self.assertTrue({str(i) for i in range(50)} <= set(one))

    def test_composite_in_a_transaction(self):
        sender, listener = self.peer(), self.peer()
        self.assertIsNone(listener.subscribe('/topic/three'))
        transaction = sender.library.begin()
        self.assertIsNone(sender.send('/queue/one,/topic/three', 'kept', transaction=transaction))
        sender.library.commit(transaction)
        transaction = sender.library.begin()
        self.assertIsNone(sender.send('/queue/one,/topic/three', 'lost', transaction=transaction))
        sender.library.abort(transaction)
        self.assertIsNone(sender.send('/topic/three', 'last'))
        self.assertEqual([frame.body for frame in listener.messages(2)], ['kept', 'last'])
        self.restart()
        self.assertEqual(self.waiting('/queue/one'),
                         [('kept', '/queue/one', '/queue/one,topic://three')])

    def test_composite_subscription_has_one_id(self):
        sender, reader = self.peer(), self.peer()
        self.assertIsNone(reader.subscribe('/queue/a, /topic/b ,c', ack='client'))
        for destination in ('/queue/a', '/topic/b', '/queue/c'):
            self.assertIsNone(sender.send(destination, destination))
        frames = reader.messages(3)
        self.assertEqual(sorted(frame.body for frame in frames), ['/queue/a', '/queue/c', '/topic/b'])
        reader.library.ack(frames[-1].headers['ack'])  # cumulative: all of them
        self.assertIsNone(reader.unsubscribe())
        self.assertEqual(self.waiting('/queue/a'), [])
        self.assertEqual(self.waiting('/queue/c'), [])

    def test_forwarding_and_filters_from_xml(self):
        sender, listener = self.peer(), self.peer()
        self.assertIsNone(listener.subscribe('/topic/orders.urgent,/topic/news'))
        self.assertIsNone(sender.send('/queue/orders', 'large', size='101'))
        self.assertIsNone(sender.send('/queue/orders', 'both', size='101', urgent='yes'))
        self.assertIsNone(sender.send('/queue/orders', 'neither', size='1'))
        self.assertIsNone(sender.send('/topic/news', 'flood'))
        self.assertEqual(places(listener.messages(2)),
                         [('both', '/topic/orders.urgent', '/queue/orders'),
                          ('flood', '/topic/news', None)])
        self.restart()
        self.assertEqual(self.waiting('/queue/orders.large'),
                         [('both', '/queue/orders.large', '/queue/orders'),
                          ('large', '/queue/orders.large', '/queue/orders')])
        self.assertEqual(self.waiting('/queue/orders'), [('neither', '/queue/orders', None)])
        self.assertEqual(self.waiting('/queue/news.archive'),
                         [('flood', '/queue/news.archive', '/topic/news')])

    def test_selector_aware_virtual_topic(self):
        sender, reader = self.peer(), self.peer()
        self.assertIsNone(reader.subscribe('/queue/For.me.Aware.x', selector="color = 'red'"))
        for color in ('blue', 'red'):
            self.assertIsNone(sender.send('/topic/Aware.x', color, color=color))
        self.assertEqual(reader.messages(1)[0].body, 'red')
        reader.close()
        self.assertEqual(self.waiting('/queue/For.me.Aware.x'), [])

    def test_mirrored_queues(self):
        sender, mirror = self.peer(), self.peer()
        self.assertIsNone(mirror.subscribe('/topic/Mirror.>'))
        self.assertIsNone(sender.send('/queue/pay', '1'))
        self.assertEqual(places(mirror.messages(1)), [('1', '/topic/Mirror.pay', '/queue/pay')])
        self.assertEqual(self.waiting('/queue/pay'), [('1', '/queue/pay', None)])

    def test_retroactive_consumers(self):
        sender = self.peer()
        for i in range(4):
            self.assertIsNone(sender.send('/topic/prices.eur', str(i)))
            self.assertIsNone(sender.send('/topic/status', str(i)))
        exact, pattern = self.peer(), self.peer()
        self.assertIsNone(exact.subscribe('/topic/prices.eur?consumer.retroactive=true'))
        self.assertIsNone(sender.send('/topic/prices.usd', 'usd'))
        self.assertIsNone(pattern.subscribe('/topic/prices.>', **{'activemq.retroactive': 'true'}))
        self.assertIsNone(sender.send('/topic/prices.eur', 'live'))
        self.assertEqual([frame.body for frame in exact.messages(3)], ['2', '3', 'live'])
        self.assertEqual([frame.body for frame in pattern.messages(4)], ['2', '3', 'usd', 'live'])
        plain = self.peer()
        self.assertIsNone(plain.subscribe('/topic/status,/topic/prices.eur'))
        self.assertIsNone(sender.send('/topic/prices.eur', 'now'))
        self.assertEqual([frame.body for frame in plain.messages(2)], ['3', 'now'])

    def test_destination_options_and_their_errors(self):
        sender, reader = self.peer(), self.peer()
        self.assertIsNone(reader.subscribe(
            '/queue/opt?consumer.selector=size+%3E+5&consumer.prefetchSize=1', ack='client-individual'))
        for size in ('1', '6', '7'):
            self.assertIsNone(sender.send('/queue/opt?producer.windowSize=10', size, size=size))
        first = reader.messages(1)[0]
        self.assertEqual((first.body, first.headers['destination']), ('6', '/queue/opt'))
        reader.library.ack(first.headers['ack'])
        self.assertEqual(reader.messages(1)[0].body, '7')
        other = self.peer()
        for options, text in (('consumer.prefetsch=1', 'Unknown destination option'),
                              ('consumer.noLocal=maybe', 'Invalid consumer.noLocal'),
                              ('consumer.selector=(', 'column')):
            error = other.subscribe(f'/queue/opt?{options}', name=options)
            self.assertIn(text, error or 'accepted')

    def test_a_wrong_filter_is_told_with_its_line(self):
        folder = tempfile.mkdtemp(dir=os.path.dirname(self.broker.data))
        path = configuration(folder)
        with open(path, encoding='utf-8') as file:
            text = file.read().replace("size &gt; 100", "size &gt;")
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        done = run('check', path)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stdout + done.stderr, r'routing\.xml:\d+.*selector')


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
