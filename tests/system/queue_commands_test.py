#!/usr/bin/env python3
"""What operators do to queues, through the program's own command line and HTTP API; and stomp.py
browsing a deep queue while others take from it."""

import collections
import http.client
import json
import os
import queue
import subprocess
import sys
import time
import unittest
import urllib.parse

import stomp

from broker import WAIT_SECONDS, Broker, program, run, wait_for

FAILED, USAGE, REFUSED = 1, 2, 4


def fill(client, destination, count, persistent=True, **headers):
    """Bodies "0", "1", …; the last has a receipt, so all are there when it returns."""
    for number in range(count):
        extra = {name.replace('_', '-'): value(number) if callable(value) else value
                 for name, value in headers.items()}
        if persistent:
            extra['persistent'] = 'true'
        if number == count - 1:
            extra['receipt'] = 'filled'
        client.send('SEND', {'destination': destination, **extra}, str(number).encode())
        if number % 500 == 0:
            client.flush()
    client.flush()
    frame = client.receive()
    assert frame.command == 'RECEIPT', frame


class QueueCommandTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.addClassCleanup(cls.broker.close)

    def setUp(self):
        self.name = self.id().rsplit('.', 1)[-1]
        self.client = self.broker.connect()
        self.addCleanup(self.client.close)

    def command(self, *words, code=0):
        done = run(*words, '--api', self.broker.http_url, '--json')
        self.assertEqual(done.returncode, code, f'{words}: {done}')
        return json.loads(done.stdout)

    def text(self, *words, code=0):
        done = run(*words, '--api', self.broker.http_url)
        self.assertEqual(done.returncode, code, f'{words}: {done}')
        return done.stdout

    def depth(self, name):
        shown = {each['name']: each for each in self.command('queue', 'list')['queues']}
        return shown[name]['depth'] if name in shown else None

    def test_list_and_show(self):
        fill(self.client, f'/queue/{self.name}', 3)
        self.assertEqual(self.depth(self.name), 3)
        self.assertIn(self.name, self.text('queue', 'list'))
        shown = self.command('queue', 'show', self.name)
        self.assertEqual((shown['depth'], shown['reasons']), (3, ['it has no consumer']))
        self.assertIn('it has no consumer', self.text('queue', 'show', self.name))
        missing = self.command('queue', 'show', 'no/such queue%', code=REFUSED)
        self.assertIn('no/such queue%', missing['error'])

    def test_browse_with_a_selector_in_pages(self):
        fill(self.client, f'/queue/{self.name}', 2500,
             color=lambda number: 'red' if number % 5 == 0 else 'blue')
        seen = self.command('queue', 'browse', self.name, '--selector', "color = 'red'",
                            '--limit', '0')['messages']
        self.assertEqual([each['body'] for each in seen],
                         [str(number) for number in range(0, 2500, 5)])
        self.assertEqual(seen[0]['properties'], {'color': 'red'})
        page = self.command('queue', 'browse', self.name, '--limit', '10')
        rest = self.command('queue', 'browse', self.name, '--limit', '1', '--from', page['next'])
        self.assertEqual(rest['messages'][0]['body'], '10')
        self.assertIn(' bytes  7', self.text('queue', 'browse', self.name, '--limit', '8'))
        wrong = self.command('queue', 'browse', self.name, '--selector', 'color =', code=REFUSED)
        self.assertIn('column', wrong['error'])

    def test_purge(self):
        fill(self.client, f'/queue/{self.name}', 1000, n=str, persistent=False)
        done = self.command('queue', 'purge', self.name, '--selector',
                            "convert_string_expressions:n >= 990")
        self.assertEqual((done['state'], done['affected']), ('done', 10))
        done = self.command('queue', 'purge', self.name, '--limit', '5')
        self.assertEqual(done['affected'], 5)
        self.assertIn('deleted 985 messages', self.text('queue', 'purge', self.name))
        self.assertEqual(self.depth(self.name), 0)
        self.assertEqual(run('queue', 'purge', self.name, '--selector', '', '--api',
                             self.broker.http_url).returncode, USAGE)

    def test_pause_and_resume(self):
        fill(self.client, f'/queue/{self.name}', 2)
        self.command('queue', 'pause', self.name)
        self.client.send('SUBSCRIBE', {'id': '0', 'destination': f'/queue/{self.name}', 'receipt': 's'})
        self.client.flush()
        self.assertEqual(self.client.receive().command, 'RECEIPT')
        explained = self.command('explain', self.name)
        self.assertTrue(explained['paused'])
        self.assertIn('paused', explained['reasons'][0])
        self.assertEqual(explained['inFlight'], 0)
        self.command('queue', 'resume', self.name)
        self.assertEqual([self.client.receive().text for _ in range(2)], ['0', '1'])

    def test_move_copy_and_explain_one(self):
        fill(self.client, f'/queue/{self.name}', 500)
        to = self.name + '.to'
        self.assertEqual(self.command('queue', 'copy', self.name, '--to', f'/queue/{to}')['affected'], 500)
        self.assertEqual((self.depth(self.name), self.depth(to)), (500, 500))
        self.command('queue', 'purge', to)
        listed = self.command('queue', 'browse', self.name, '--limit', '300')['messages']
        wanted = listed[250]['id']
        told = self.command('explain', self.name, wanted)
        self.assertEqual((told['ahead'], told['state'], told['message']['body']),
                         (250, 'waiting', '250'))
        moved = self.command('queue', 'move', self.name, wanted, '--to', to)
        self.assertEqual(moved['affected'], 1)
        self.command('explain', self.name, wanted, code=REFUSED)
        self.assertEqual(self.command('explain', f'/queue/{to}', wanted)['ahead'], 0)
        self.assertEqual(self.command('queue', 'move', self.name, '--to', to)['affected'], 499)
        self.assertEqual((self.depth(self.name), self.depth(to)), (0, 500))
        self.assertIn('nobody subscribes', self.command(
            'queue', 'move', to, '--to', 'topic://nobody', code=FAILED)['text'])
        self.assertEqual(self.depth(to), 500)

    def test_explain_says_who_has_a_message(self):
        fill(self.client, f'/queue/{self.name}', 1)
        other = self.broker.connect(client_id='holder-of-one')
        self.addCleanup(other.close)
        other.send('SUBSCRIBE', {'id': '0', 'destination': f'/queue/{self.name}',
                                 'ack': 'client-individual'})
        other.flush()
        message = other.receive()
        told = self.command('explain', self.name, message.headers['message-id'])
        self.assertEqual((told['state'], told['clientId']), ('in flight', 'holder-of-one'))
        self.assertGreater(told['since'], 1_600_000_000_000)
        whole = self.command('explain', self.name)
        self.assertEqual(whole['consumers'][0]['clientId'], 'holder-of-one')
        self.assertEqual(self.command('queue', 'purge', self.name)['skippedInFlight'], 1)

    def test_retry_of_dead_letters(self):
        fill(self.client, f'/queue/{self.name}', 3)
        self.client.send('SUBSCRIBE', {'id': '0', 'destination': f'/queue/{self.name}',
                                       'ack': 'client-individual'})
        self.client.flush()
        for _ in range(3):
            frame = self.client.receive()
            self.client.send('NACK', {'id': frame.headers['ack']})
        self.client.send('UNSUBSCRIBE', {'id': '0', 'receipt': 'gone'})
        self.client.flush()
        self.assertEqual(self.client.receive().command, 'RECEIPT')
        selector = "dlqDeliveryFailureCause IS NOT NULL"
        wait_for(lambda: self.depth('ActiveMQ.DLQ') == 3, 'three dead letters')
        sent_back = self.command('queue', 'retry', 'ActiveMQ.DLQ', '--selector', selector)
        self.assertEqual((sent_back['affected'], sent_back['skippedOther']), (3, 0))
        self.assertEqual((self.depth(self.name), self.depth('ActiveMQ.DLQ')), (3, 0))

    def test_create_and_delete(self):
        self.command('queue', 'create', self.name)
        self.assertEqual(self.depth(self.name), 0)
        self.assertIn('already', self.command('queue', 'create', self.name, code=REFUSED)['error'])
        fill(self.client, f'/queue/{self.name}', 10)
        first = self.command('queue', 'browse', self.name)['messages'][0]['id']
        self.assertEqual(self.command('queue', 'delete', self.name, first)['affected'], 1)
        self.assertEqual(self.depth(self.name), 9)
        refused = self.command('queue', 'delete', self.name, code=REFUSED)['error']
        self.assertIn('9 messages and 0 consumers', refused)
        self.assertIn('force', refused)
        post = {'Content_Type': 'application/json', 'Host': 'localhost'}
        self.assertEqual(self.request('POST', f'/api/queues/{self.name}/delete', '{}', **post)[0], 409)
        self.assertEqual(self.depth(self.name), 9)
        other = self.broker.connect()
        self.addCleanup(other.close)
        other.send('SUBSCRIBE', {'id': '0', 'destination': f'/queue/{self.name}', 'receipt': 's'})
        other.flush()
        other.receive()
        self.assertIn('force', self.command('queue', 'delete', self.name, code=REFUSED)['error'])
        self.assertTrue(self.command('queue', 'delete', self.name, '--force')['deleted'])
        self.assertIsNone(self.depth(self.name))

    def test_delete_with_messages(self):
        fill(self.client, f'/queue/{self.name}', 10)
        fill(self.client, f'/queue/{self.name}', 5, persistent=False)
        other = self.broker.connect()
        self.addCleanup(other.close)
        headers = {'id': '0', 'destination': f'/queue/{self.name}', 'ack': 'client'}
        other.send('SUBSCRIBE', {**headers, 'receipt': 's'})
        other.flush()
        other.receive()
        words = ('queue', 'delete', self.name, '--with-messages')
        self.assertIn('active subscription', self.command(*words, code=REFUSED)['error'])
        self.assertEqual(self.depth(self.name), 15)
        other.request('UNSUBSCRIBE', {'id': '0'})
        done = self.command(*words)
        self.assertEqual((done['deleted'], done['messages']), (True, 15))
        self.assertIsNone(self.depth(self.name))
        self.command(*words, code=REFUSED)
        fill(self.client, f'/queue/{self.name}', 2)
        self.assertEqual(self.depth(self.name), 2)

    def test_topics(self):
        self.client.send('SUBSCRIBE', {'id': '0', 'destination': f'/topic/{self.name}', 'receipt': 's'})
        self.client.send('SEND', {'destination': f'/topic/{self.name}'}, b'x')
        self.client.flush()
        self.client.receive()
        self.client.receive()
        self.assertIn(self.name, self.text('topic', 'list'))

    def subscribe_durably(self, client_id, name, topic, **headers):
        client = self.broker.connect(client_id=client_id)
        self.addCleanup(client.close)
        client.send('SUBSCRIBE', {'id': '0', 'destination': topic, 'receipt': 's',
                                  'activemq.subscriptionName': name, 'ack': 'client-individual',
                                  **headers})
        client.flush()
        client.expect('RECEIPT')
        return client

    def test_durable_subscriptions(self):
        topic = f'/topic/{self.name}.a'
        away = self.subscribe_durably('books/eu', 'arch ive', topic, selector='n > 1')
        away.send('DISCONNECT', {'receipt': 'bye'})
        away.flush()
        away.expect('RECEIPT')
        here = self.subscribe_durably('shop', 'all', f'/topic/{self.name}.*',
                                      **{'activemq.prefetchSize': '1'})
        fill(self.client, topic, 4, n=str)

        def listed():
            return [each for each in self.command('subscription', 'list')['subscriptions']
                    if self.name in each['topic']]

        one, two = wait_for(lambda: (lambda found: found[1]['inFlight'] == 1 and found)(listed()),
                            'a delivery')
        self.assertEqual((one['clientId'], one['name'], one['topic'], one['selector']),
                         ('books/eu', 'arch ive', f'topic://{self.name}.a', 'n > 1'))
        self.assertEqual((one['active'], one['depth'], one['inFlight']), (False, 2, 0))
        self.assertEqual((two['active'], two['depth'], two['selector']), (True, 4, ''))
        self.assertIn('arch ive', self.text('subscription', 'list'))
        # By pages.
        first = json.loads(self.request('GET', '/api/subscriptions?limit=1')[1])
        self.assertEqual(len(first['subscriptions']), 1)
        second = json.loads(self.request(
            'GET', '/api/subscriptions?after=' + urllib.parse.quote(first['next'], safe=''))[1])
        self.assertEqual(first['subscriptions'] + second['subscriptions'],
                         self.command('subscription', 'list')['subscriptions'])

        for name in (topic, f'topic://{self.name}.a', f'{self.name}.a'):
            told = self.command('explain', name)
            self.assertEqual(told['durableSubscriptions'], [one, two])
            self.assertEqual(len(told['reasons']), 2)
            self.assertIn('arch ive of client books/eu: 2 messages wait until it connects',
                          told['reasons'][0])
            self.assertIn('all of client shop: 3 messages wait', told['reasons'][1])
        self.assertIn('nobody is connected with it', self.text('explain', topic))
        self.command('explain', f'/topic/{self.name}.none.such', code=REFUSED)
        self.command('explain', topic, 'ID:x', code=REFUSED)

        self.command('subscription', 'delete', 'shop', 'all', code=REFUSED)
        self.command('subscription', 'delete', 'nobody', 'all', code=REFUSED)
        path = '/api/subscriptions/books%2Feu/arch%20ive'
        self.assertEqual(self.request('DELETE', path, Host='evil.example')[0], 403)
        self.assertEqual(listed(), [one, two])
        self.assertTrue(self.command('subscription', 'delete', 'books/eu', 'arch ive')['deleted'])
        self.assertEqual(listed(), [two])
        here.close()

    def request(self, method, path, body='', **headers):
        connection = http.client.HTTPConnection('127.0.0.1', self.broker.ports['http'],
                                                timeout=WAIT_SECONDS)
        connection.request(method, path, body, {name.replace('_', '-'): value
                                                for name, value in headers.items()})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    def test_what_is_refused_has_changed_nothing(self):
        fill(self.client, f'/queue/{self.name}', 3)
        post = {'Content_Type': 'application/json', 'Host': 'localhost'}
        for wait in ('"soon"', '5001', '-1'):
            body = f'{{"wait": {wait}}}'
            for command in ('purge', 'pause', 'delete'):
                status, text = self.request('POST', f'/api/queues/{self.name}/{command}', body,
                                            **post)
                self.assertEqual(status, 400, text)
            status, text = self.request('POST', f'/api/queues/{self.name}.new/create', body, **post)
            self.assertEqual(status, 400, text)
        self.assertEqual(self.depth(self.name), 3)
        self.assertIsNone(self.depth(f'{self.name}.new'))
        self.assertFalse(self.command('queue', 'show', self.name)['paused'])

    def test_a_task_has_a_number_and_its_own_name(self):
        fill(self.client, f'/queue/{self.name}', 3)
        done = self.command('queue', 'delete', self.name, '--selector', 'TRUE')
        known = json.loads(self.request('GET', f'/api/tasks/{done["task"]}')[1])
        self.assertEqual((known['command'], known['affected']), ('delete', 3))
        for wrong in (f'{done["task"]}x', 'x', '-1', '1.0', '99999999999999999999999'):
            for path in (f'/api/tasks/{wrong}', f'/api/schedule/tasks/{wrong}'):
                status, text = self.request('GET', path)
                self.assertEqual((status, json.loads(text)['code']), (400, 'invalid_argument'), path)
        self.assertEqual(self.request('GET', '/api/tasks/123456789')[0], 404)

    def test_transactions_are_named_and_times_are_readable(self):
        fill(self.client, f'/queue/{self.name}', 2)
        self.client.send('SUBSCRIBE', {'id': '0', 'destination': f'/queue/{self.name}',
                                       'ack': 'client-individual'})
        self.client.flush()
        frames = [self.client.receive() for _ in range(2)]
        self.client.send('BEGIN', {'transaction': 'local'})
        self.client.send('ACK', {'id': frames[0].headers['ack'], 'transaction': 'local'})
        self.client.send('SEND', {'destination': f'/queue/{self.name}', 'transaction': 'local',
                                  'receipt': 'r'}, b'unseen')
        self.client.flush()
        self.client.expect('RECEIPT')
        told = self.command('explain', self.name)
        self.assertEqual((told['inTransactions'], told['sentInTransactions']), (1, 1))
        self.assertEqual((told['transactions'][0]['state'], told['transactions'][0]['xid']),
                         ('open', ''))
        one = self.command('explain', self.name, frames[0].headers['message-id'])
        self.assertEqual(one['transaction'], told['transactions'][0]['transaction'])
        self.assertIsInstance(one['since'], int)
        self.assertIn('open for', ' '.join(one['reasons']))
        text = self.text('explain', self.name, frames[0].headers['message-id'])
        for name in ('since', 'transactionSince', 'message.timestamp'):
            self.assertRegex(text, name + r' +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(.* ago\)\n')
        self.assertRegex(text, r'message.expiration +-\n')
        # Its messages are not consumed when it is aborted.
        self.client.send('ABORT', {'transaction': 'local', 'receipt': 'a'})
        self.client.flush()
        self.client.expect('RECEIPT')
        self.assertNotIn('transactions', self.command('explain', self.name))

    def test_empty_does_not_mean_everything(self):
        fill(self.client, f'/queue/{self.name}', 3)
        post = {'Content_Type': 'application/json', 'Host': 'localhost'}
        for command in ('purge', 'delete', 'move', 'copy', 'retry'):
            to = {'to': f'{self.name}.to'} if command in ('move', 'copy') else {}
            for choice in ({'messageId': ''}, {'selector': ''}, {'selector': ' \t'},
                           {'messageId': ' '}, {'limit': ''}, {'selector': True},
                           {'selector': '', 'messageId': 'ID:x'}):
                status, text = self.request('POST', f'/api/queues/{self.name}/{command}',
                                            json.dumps({**to, **choice}), **post)
                self.assertEqual((status, json.loads(text)['code']), (400, 'invalid_argument'),
                                 f'{command} {choice}: {text}')
            for query in ('selector=', 'messageId=', 'selector=+'):
                status, text = self.request('POST', f'/api/queues/{self.name}/{command}?{query}',
                                            json.dumps(to), **post)
                self.assertEqual(status, 400, text)
                self.assertIn('is empty', json.loads(text)['error'])
        status, text = self.request('GET', f'/api/queues/{self.name}/messages?selector=')
        self.assertEqual(status, 400, text)
        for body in ('{"id": ""}', '{"destination": ""}', '{"id": "", "all": true}',
                     '{"destination": "/queue/", "all": true}'):
            status, text = self.request('POST', '/api/schedule/cancel', body, **post)
            self.assertEqual(status, 400, text)
        self.assertEqual(self.depth(self.name), 3)
        self.assertIsNone(self.depth(f'{self.name}.to'))
        # A code is one word, whoever refuses.
        for body in ('{"selector": "n ="}', '{"selector": ""}'):
            status, text = self.request('POST', f'/api/queues/{self.name}/purge', body, **post)
            self.assertEqual((status, json.loads(text)['code']), (400, 'invalid_argument'), text)
        self.assertEqual(json.loads(self.request('GET', '/api/queues/none.such')[1])['code'],
                         'not_found')

    def test_selectors_compare_numbers_in_headers(self):
        sender = stomp.Connection([('127.0.0.1', self.broker.ports['stomp'])])
        sender.connect(wait=True)
        self.addCleanup(sender.disconnect)
        for amount in ('5000', '20', 'many'):
            sender.send(f'/queue/{self.name}', amount, amount=amount, receipt=amount)
        wait_for(lambda: self.depth(self.name) == 3, 'three messages')
        bodies = [each['body'] for each in self.command(
            'queue', 'browse', self.name, '--selector', 'amount > 1000')['messages']]
        self.assertEqual(bodies, ['5000'])
        self.assertEqual(self.command('queue', 'copy', self.name, '--selector', 'amount = 20',
                                      '--to', f'{self.name}.to')['affected'], 1)
        done = self.command('queue', 'delete', self.name, '--selector', 'amount < 1000')
        self.assertEqual((done['command'], done['affected']), ('delete', 1))
        # What a consumer's selector is shown as is what he wrote.
        self.client.send('SUBSCRIBE', {'id': '0', 'destination': f'/queue/{self.name}',
                                       'selector': 'amount = 7', 'receipt': 's'})
        self.client.flush()
        self.assertEqual(self.client.receive().command, 'RECEIPT')
        explained = self.text('explain', self.name)
        self.assertIn('amount = 7', explained)
        self.assertNotIn('convert_string_expressions', explained)
        first = self.command('queue', 'browse', self.name)['messages'][0]['id']
        told = self.command('explain', self.name, first)
        self.assertEqual(told['selectors'],
                         [{'selector': 'amount = 7', 'consumers': 1, 'matches': False}])
        self.assertEqual(self.command('queue', 'purge', self.name, '--selector',
                                      'amount = 5000')['affected'], 1)
        self.assertEqual(self.depth(self.name), 1)

    def test_what_is_no_queue_is_not_created_nor_sent_to(self):
        fill(self.client, f'/queue/{self.name}', 2)
        for to in ('/foo/x', 'a,b', '/queue/a,/queue/b', '/queue/', 'tcp://x'):
            refused = self.command('queue', 'move', self.name, '--to', to, code=REFUSED)
            self.assertIn('is no destination', refused['error'])
        self.assertIn('only queues', self.command('queue', 'create', '/topic/x', code=REFUSED)['error'])
        self.assertIn('comma', self.command('queue', 'create', 'a,b', code=REFUSED)['error'])
        self.command('queue', 'create', '/foo/x', code=REFUSED)
        self.command('queue', 'create', f'/queue/{self.name}.new')
        self.assertEqual((self.depth(self.name), self.depth(f'{self.name}.new')), (2, 0))

    def test_a_group_of_commands_has_help(self):
        for group, commands in (('queue', ('list', 'purge', 'skip-damaged')),
                                ('store', ('check', 'map')), ('xa', ('commit', 'forget')),
                                ('schedule', ('list', 'cancel')), ('topic', ('list',))):
            for words in ((group, '--help'), (group, '-h'), ('help', group)):
                done = run(*words)
                self.assertEqual((done.returncode, done.stderr), (0, ''), words)
                for command in commands:
                    self.assertRegex(done.stdout, rf'(?m)^  {group} {command} +\w')
        self.assertEqual(run('nothing', '--help').returncode, USAGE)

    def test_a_web_page_can_change_nothing(self):
        fill(self.client, f'/queue/{self.name}', 2)
        path = f'/api/queues/{self.name}/purge'
        form = 'application/x-www-form-urlencoded'
        kind = 'application/json'
        self.assertEqual(self.request('POST', path, '', Content_Type=form)[0], 415)
        self.assertEqual(self.request('POST', path, '{}', Content_Type='text/plain')[0], 415)
        self.assertEqual(self.request('POST', path, '{}', Content_Type=kind,
                                      Origin='http://evil.example')[0], 403)
        self.assertEqual(self.request('POST', path, '{}', Content_Type=kind,
                                      Host='evil.example')[0], 403)
        self.assertEqual(self.request('GET', path)[0], 405)
        self.assertEqual(self.request('POST', path, '[1', Content_Type=kind)[0], 400)
        self.assertEqual(self.request('POST', path, '{"selektor":"x"}', Content_Type=kind)[0], 400)
        self.assertEqual(self.request('POST', path, '{}' + ' ' * 70_000, Content_Type=kind)[0], 413)
        self.assertEqual(self.depth(self.name), 2)
        self.assertEqual(self.request('POST', path, '{}', Content_Type=kind)[0], 200)
        self.assertEqual(self.depth(self.name), 0)
        self.assertEqual(self.request('GET', '/api/queues/%zz')[0], 400)
        self.assertEqual(self.request('GET', '/api/nothing')[0], 404)


class StoreMapTest(unittest.TestCase):
    def test_the_map_says_who_keeps_what_since_when(self):
        with Broker() as broker:
            client = broker.connect(client_id='books')
            client.send('SUBSCRIBE', {'id': '0', 'destination': '/topic/news', 'ack': 'client',
                                      'activemq.subscriptionName': 'archive', 'receipt': 's'})
            client.flush()
            client.expect('RECEIPT')
            client.close()
            client = broker.connect()
            before = int(time.time() * 1000)
            fill(client, '/topic/news', 5)
            fill(client, '/queue/pay', 3)
            client.close()
            self.assertEqual(broker.terminate(), 0)
            done = run('store', 'map', os.path.join(broker.data, 'store'), '--json')
            totals = {each['destination']: each for each in json.loads(done.stdout)['totals']}
            self.assertEqual(totals['topic://news']['subscription'], 'books/archive')
            self.assertEqual((totals['topic://news']['messages'], totals['queue://pay']['messages']),
                             (5, 3))
            self.assertLessEqual(before, totals['topic://news']['since'])
            self.assertLessEqual(totals['topic://news']['since'], totals['queue://pay']['since'])


class Inbox(stomp.ConnectionListener):
    def __init__(self):
        self.frames = queue.Queue()

    def on_message(self, frame):
        self.frames.put(frame)

    def on_error(self, frame):
        self.frames.put(frame)


class DeepQueueTest(unittest.TestCase):
    COUNT = 100_000

    def test_a_deep_queue_goes_as_a_whole(self):
        with Broker() as broker:
            client = broker.connect()
            fill(client, '/queue/kept', 100)
            for number in range(3):
                fill(client, f'/queue/deep{number}', self.COUNT // 4)
            done = run('queue', 'delete', 'deep0', '--with-messages', '--api', broker.http_url,
                       '--json')
            self.assertEqual(json.loads(done.stdout)['messages'], self.COUNT // 4, done)
            # Of the others, one is killed while it is deleted; nobody was told that it is done.
            deleting = [subprocess.Popen(
                [program(), 'queue', 'delete', f'deep{number}', '--with-messages', '--api',
                 broker.http_url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for number in (1, 2)]
            deleting[0].wait(WAIT_SECONDS)
            broker.kill()
            deleting[1].wait(WAIT_SECONDS)
            broker.start()
            listed = run('queue', 'list', '--api', broker.http_url, '--json')
            depths = {each['name']: each['depth'] for each in json.loads(listed.stdout)['queues']}
            self.assertNotIn('deep0', depths)
            self.assertIn(depths.get('deep2', 0), (0, self.COUNT // 4))
            if deleting[0].returncode == 0:
                self.assertNotIn('deep1', depths)
            self.assertEqual(depths['kept'], 100)
            # What it had on disk comes back, by and by.
            for number in (1, 2):
                run('queue', 'delete', f'deep{number}', '--force', '--api', broker.http_url)
            client = broker.connect()
            client.publish('/queue/deep0', b'of another')
            listed = run('queue', 'list', '--api', broker.http_url, '--json')
            depths = {each['name']: each['depth'] for each in json.loads(listed.stdout)['queues']}
            self.assertEqual((depths['deep0'], depths['kept']), (1, 100))
            client.close()
            self.assertEqual(broker.terminate(), 0)
            checked = run('store', 'check', os.path.join(broker.data, 'store'))
            self.assertEqual(checked.returncode, 0, checked)

    def test_stomp_py_browses_while_others_take(self):
        with Broker() as broker:
            client = broker.connect()
            self.addCleanup(client.close)
            fill(client, '/queue/deep', self.COUNT,
                 color=lambda number: 'red' if number % 1000 == 7 else 'blue')
            # Somebody takes the blue ones from the front meanwhile, acknowledging each.
            taker = broker.connect()
            taker.send('SUBSCRIBE', {'id': '0', 'destination': '/queue/deep', 'ack': 'auto',
                                     'selector': "color = 'blue'"})
            taker.flush()
            inbox = Inbox()
            library = stomp.Connection12([('127.0.0.1', broker.ports['stomp'])], heartbeats=(0, 0))
            library.set_listener('', inbox)
            library.connect(wait=True)
            library.subscribe('/queue/deep', id='b', ack='auto',
                              headers={'browser': 'true', 'selector': "color = 'red'"})
            taken = 0
            for _ in range(5000):
                taken += taker.receive().command == 'MESSAGE'
            seen = []
            while True:
                frame = inbox.frames.get(timeout=WAIT_SECONDS)
                self.assertEqual(frame.cmd, 'MESSAGE', frame)
                if frame.headers.get('browser') == 'end':
                    self.assertEqual(frame.headers['message-id'], '0')
                    break
                seen.append(frame.body)
            self.assertEqual(seen, [str(number) for number in range(7, self.COUNT, 1000)])
            self.assertEqual(taken, 5000)
            library.disconnect()
            taker.close()
            red = json.loads(run('queue', 'browse', 'deep', '--selector', "color = 'red'", '--limit',
                                 '0', '--api', broker.http_url, '--json').stdout)['messages']
            self.assertEqual(len(red), self.COUNT // 1000)

    def test_a_move_that_is_killed_leaves_each_message_in_one_place(self):
        count = 10_000
        with Broker() as broker:
            client = broker.connect()
            fill(client, '/queue/from', count)
            client.close()
            move = subprocess.Popen([program(), 'queue', 'move', 'from', '--to', 'to', '--api',
                                     broker.http_url], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)

            def moved():
                for each in broker.get_json('/api/queues')['queues']:
                    if each['name'] == 'to':
                        return each['depth']
                return 0

            wait_for(lambda: moved() > 0, 'the move to be under way')
            broker.kill()
            move.wait(WAIT_SECONDS)
            broker.start()
            bodies = collections.Counter()
            depths = {}
            for name in ('from', 'to'):
                client = broker.connect()
                done = run('queue', 'browse', name, '--limit', '0', '--api', broker.http_url, '--json')
                self.assertEqual(done.returncode, 0, done)
                depths[name] = len(json.loads(done.stdout)['messages'])
                client.send('SUBSCRIBE', {'id': '0', 'destination': f'/queue/{name}', 'ack': 'auto'})
                client.flush()
                for _ in range(depths[name]):
                    bodies[client.receive().text] += 1
                client.close()
            self.assertEqual(sum(depths.values()), count, depths)
            self.assertEqual(bodies, collections.Counter(str(number) for number in range(count)))
            print(f'killed with {depths}', flush=True)


if __name__ == '__main__':
    unittest.main(argv=sys.argv)
