#!/usr/bin/env python3
"""Policies of the configuration file that change order, persistence, prefetch and who is left out;
and what `explain` says of groups, owners, the start and producers: with stomp.py."""

import json
import os
import threading
import unittest

import stomp

from broker import SOURCE_DIR, WAIT_SECONDS, Broker, run, wait_for


class Listener(stomp.ConnectionListener):
    def __init__(self):
        self.bodies = []
        self.receipts = threading.Semaphore(0)

    def on_message(self, frame):
        self.bodies.append(frame.body)

    def on_receipt(self, frame):
        self.receipts.release()


def entries(text):
    return ('<destinationPolicy><policyMap><policyEntries>' + text +
            '</policyEntries></policyMap></destinationPolicy>')


class PolicyTest(unittest.TestCase):
    def start(self, content):
        with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as file:
            sample = file.read()
        self.broker = Broker(start=False)
        self.addCleanup(self.broker.close)
        self.broker.config = os.path.join(self.broker._own_directory, 'pabal.xml')
        with open(self.broker.config, 'w', encoding='utf-8') as file:
            file.write(sample.replace('</broker>', content + '</broker>'))
        self.broker.start()

    def connect(self, client_id=None):
        client = stomp.Connection12([('127.0.0.1', self.broker.ports['stomp'])], heartbeats=(0, 0))
        listener = Listener()
        client.set_listener('', listener)
        client.connect(wait=True, headers={'client-id': client_id} if client_id else {})
        self.addCleanup(self.close, client)
        return client, listener

    @staticmethod
    def close(client):
        try:
            client.disconnect()
        except (stomp.exception.NotConnectedException, OSError):
            pass  # the broker was killed

    def send(self, destination, *bodies, **headers):
        client, listener = self.connect()
        for body in bodies:
            text, priority = body if isinstance(body, tuple) else (body, 4)
            client.send(destination, text, receipt='r',
                        headers={'persistent': 'true', 'priority': str(priority), **headers})
            self.assertTrue(listener.receipts.acquire(timeout=WAIT_SECONDS))

    def explain(self, queue):
        done = run('explain', queue, '--api', self.broker.http_url, '--json')
        self.assertEqual(done.returncode, 0, done)
        return json.loads(done.stdout)

    def queue(self, name):
        for each in self.broker.get_json('/api/queues')['queues']:
            if each['name'] == name:
                return each
        return None

    def test_messages_name_the_user_of_their_connection(self):
        self.start('')
        with open(self.broker.config, encoding='utf-8') as file:
            text = file.read()
        with open(self.broker.config, 'w', encoding='utf-8') as file:
            file.write(text.replace('populateJMSXUserID="false"', 'populateJMSXUserID="true"'))
        self.broker.kill()
        self.broker.start()
        got = self.broker.connect()
        got.subscribe('/queue/pay')
        for login, named in (('ann', 'ann'), ('', None)):
            sender = self.broker.connect(**({'login': login} if login else {}))
            sender.publish('/queue/pay', b'x', JMSXUserID='boss')
            sender.close()
            self.assertEqual(got.expect('MESSAGE').headers.get('JMSXUserID'), named)

    def test_messages_come_in_order_of_arrival_where_priorities_do_not_count(self):
        self.start(entries('<policyEntry queue="fifo" prioritizedMessages="false"/>'))
        for name in ('fifo', 'other'):
            self.send(f'/queue/{name}', ('low', 1), ('high', 9), ('middle', 4), ('higher', 8))
        self.broker.kill()
        self.broker.start()
        for name, expected in (('fifo', ['low', 'high', 'middle', 'higher']),
                               ('other', ['high', 'higher', 'middle', 'low'])):
            client, listener = self.connect()
            client.subscribe(f'/queue/{name}', id='1')
            wait_for(lambda: len(listener.bodies) == 4, 'all')
            self.assertEqual(listener.bodies, expected)

    def test_the_file_says_what_is_persistent(self):
        self.start('<plugins><forcePersistencyModeBrokerPlugin persistenceFlag="true"/></plugins>')
        self.send('/queue/a', 'x', persistent='false')
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.queue('a')['depth'], 1)

    def test_a_browser_that_names_no_prefetch_has_the_policys(self):
        self.start(entries('<policyEntry queue="a" queueBrowserPrefetch="3"/>'))
        self.send('/queue/a', *[str(number) for number in range(10)])
        client, listener = self.connect()
        client.subscribe('/queue/a', id='1', ack='client-individual', headers={'browser': 'true'})
        client.send('/queue/b', 'x', receipt='behind it')
        self.assertTrue(listener.receipts.acquire(timeout=WAIT_SECONDS))
        wait_for(lambda: len(listener.bodies) >= 3, 'three')
        client.send('/queue/b', 'x', receipt='behind it')
        self.assertTrue(listener.receipts.acquire(timeout=WAIT_SECONDS))
        self.assertEqual(listener.bodies, ['0', '1', '2'])

    def test_a_full_queue_of_a_virtual_topic_is_left_out(self):
        self.start(entries('<policyEntry queue="Consumer.small.>" pabalStoreLimit="3kb"/>') +
                   '<destinationInterceptors><virtualDestinationInterceptor><virtualDestinations>'
                   '<virtualTopic name="VirtualTopic.>" dropOnResourceLimit="true"/>'
                   '</virtualDestinations></virtualDestinationInterceptor>'
                   '</destinationInterceptors>')
        for name in ('small', 'large'):
            run('queue', 'create', f'Consumer.{name}.VirtualTopic.t', '--api', self.broker.http_url)
        self.send('/topic/VirtualTopic.t', *['x' * 1000] * 20)
        self.assertEqual(self.queue('Consumer.large.VirtualTopic.t')['depth'], 20)
        small = self.queue('Consumer.small.VirtualTopic.t')
        self.assertLess(small['depth'], 5)
        dropped = {each['destination']: each['counters']['dropped']
                   for each in self.broker.get_json('/api/status')['destinations']}
        self.assertEqual(dropped['queue://Consumer.small.VirtualTopic.t'], 20 - small['depth'])

    def test_explain_names_groups_the_exclusive_consumer_and_the_start(self):
        self.start(entries('<policyEntry queue="late" consumersBeforeDispatchStarts="2" '
                           'timeBeforeDispatchStarts="3600000"/>'))
        client, listener = self.connect('worker')
        client.subscribe('/queue/groups', id='1', ack='client-individual',
                         headers={'activemq.prefetchSize': '2'})
        for group in ('a', 'b', 'b', 'b', 'c'):
            self.send('/queue/groups', group, JMSXGroupID=group)
        wait_for(lambda: len(listener.bodies) == 2, 'the prefetch')
        told = self.explain('groups')
        self.assertEqual((told['groups'][0]['group'], told['groups'][0]['clientId'],
                          told['groups'][0]['waiting']), ('b', 'worker', 2))
        self.assertIn('2 message groups have an owner', ' '.join(told['reasons']))

        for name in ('first', 'second'):
            self.connect(name)[0].subscribe('/queue/one', id='1', headers={
                'activemq.exclusive': 'true'})
            wait_for(lambda: self.queue('one'), 'the queue')
        self.assertEqual(self.explain('one')['exclusiveClientId'], 'first')

        self.connect()[0].subscribe('/queue/late', id='1')
        self.send('/queue/late', 'x')
        told = self.explain('late')
        self.assertGreater(told['startsAt'], 0)
        self.assertIn('when 2 consumers are there (now 1)', ' '.join(told['reasons']))

    def test_explain_names_the_limit_of_a_producer_and_paused_queues_say_so(self):
        self.start(entries('<policyEntry queue="full" pabalStoreLimit="2kb"/>'))
        client, _ = self.connect('sender')
        for _ in range(5):
            client.send('/queue/full', 'x' * 1000, headers={'persistent': 'true'})
        producer = wait_for(lambda: self.explain('full')['producers'], 'a producer that waits')[0]
        self.assertEqual(producer['clientId'], 'sender')
        self.assertIn('pabalStoreLimit of queue://full', producer['reason'])
        run('queue', 'create', 'idle', '--api', self.broker.http_url)
        run('queue', 'pause', 'idle', '--api', self.broker.http_url)
        self.assertEqual(self.queue('idle')['waiting'], 'paused by an operator')

    def test_one_message_of_a_deep_queue_is_found_in_several_goes(self):
        self.start('')
        client, listener = self.connect()
        for number in range(20000):
            client.send('/queue/deep', str(number), headers={'persistent': 'true'})
        client.send('/queue/deep', 'last', receipt='r', headers={'persistent': 'true'})
        self.assertTrue(listener.receipts.acquire(timeout=WAIT_SECONDS))
        page = json.loads(run('queue', 'browse', 'deep', '--limit', '1', '--from', '4-20001',
                              '--api', self.broker.http_url, '--json').stdout)
        wanted = page['messages'][0]['id']
        status, text = self.broker.get(f'/api/explain?queue=deep&message={wanted}&wait=0')
        first = json.loads(text)
        self.assertEqual((status, first['state']), (202, 'searching'))
        done = run('explain', 'deep', wanted, '--api', self.broker.http_url, '--json')
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(json.loads(done.stdout)['ahead'], 20000)
        missing = run('explain', 'deep', 'ID:nobody', '--api', self.broker.http_url)
        self.assertIn('it was consumed, expired, moved, or never there', missing.stderr)


if __name__ == '__main__':
    unittest.main()
