#!/usr/bin/env python3
"""The program as its user meets it: commands, exit codes, signals, refusals, the HTTP listener."""

import json
import os
import re
import socket
import sys
import tempfile
import unittest

from broker import SOURCE_DIR, Broker, run, wait_for
from stomp_client import Client, encode

UNREACHABLE, REFUSED, TIMED_OUT, USAGE, FAILED = 3, 4, 5, 2, 1


class CommandLineTest(unittest.TestCase):
    def test_help_and_version_need_no_broker(self):
        overview = run('--help')
        self.assertEqual(overview.returncode, 0)
        for command in ('serve', 'check', 'status', 'send', 'receive', 'bench', 'store check',
                        'store map', 'queue list', 'queue show', 'queue browse', 'queue purge',
                        'queue pause', 'queue resume', 'queue move', 'queue copy', 'queue retry',
                        'queue delete', 'queue create', 'subscription skip-damaged', 'topic list',
                        'bridge list', 'explain'):
            self.assertIn(command, overview.stdout)
            details = run(*command.split(), '--help')
            self.assertEqual((details.returncode, details.stderr), (0, ''), command)
            self.assertIn('Examples:', details.stdout, command)
        self.assertRegex(run('--version').stdout, r'^pabal \d+\.\d+\.\d+')

    def test_a_wrong_command_line_says_so(self):
        for words in (['sned'], ['send', '--detsination', 'x'], ['receive'], ['store'],
                      ['serve', '-D', 'nonsense']):
            done = run(*words)
            self.assertEqual(done.returncode, USAGE, f'{words}: {done}')
            self.assertTrue(done.stderr.startswith('pabal'), f'{words}: {done.stderr}')

    def test_nobody_at_that_address(self):
        with socket.socket() as unused:
            unused.bind(('127.0.0.1', 0))  # Bound and not listening: connecting is refused.
            port = unused.getsockname()[1]
            url = f'stomp://127.0.0.1:{port}'
            for words in (['send', '--url', url, '-d', '/queue/a', '--body', 'x'],
                          ['receive', '--url', url, '-d', '/queue/a', '--count', '1'],
                          ['status', '--api', f'http://127.0.0.1:{port}']):
                done = run(*words, '--json')
                self.assertEqual(done.returncode, UNREACHABLE, f'{words}: {done}')
                self.assertEqual(json.loads(done.stdout)['exit_code'], UNREACHABLE)


class RunningBrokerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.addClassCleanup(cls.broker.close)

    def setUp(self):
        self.queue = f'/queue/{self.id().rsplit(".", 1)[-1]}'
        self.url = ['--url', self.broker.stomp_url]

    def test_send_and_receive(self):
        sent = run('send', *self.url, '-d', self.queue, '--body', 'Hello, courier ☂ 🐎', '--json',
                   '-H', 'employee=김철수')
        self.assertEqual((sent.returncode, sent.stderr), (0, ''))
        json.loads(sent.stdout)
        received = run('receive', *self.url, '-d', self.queue, '--count', '1', '--json')
        self.assertEqual((received.returncode, received.stderr), (0, ''))
        message = json.loads(received.stdout)
        self.assertEqual(message['body'], 'Hello, courier ☂ 🐎')
        self.assertEqual(message['headers']['employee'], '김철수')
        self.assertEqual(message['headers']['persistent'], 'true')

    def test_lines_go_in_and_come_out_in_order(self):
        text = ''.join(f'line {n}\n' for n in range(300))
        self.assertEqual(run('send', *self.url, '-d', self.queue, '--lines', input=text).returncode, 0)
        received = run('receive', *self.url, '-d', self.queue, '--count', '300', '--body-only')
        self.assertEqual((received.returncode, received.stdout), (0, text))

    def test_what_was_typed_is_text_and_a_file_is_bytes(self):
        # As with ActiveMQ: a JMS client gets a BytesMessage of what comes with a length.
        for words, has_length in ((['--body', 'ü'], False), (['--lines'], False), ([], True)):
            with self.subTest(words=words):
                sent = run('send', *self.url, '-d', self.queue, *words, input='ü')
                self.assertEqual((sent.returncode, sent.stderr), (0, ''))
                received = run('receive', *self.url, '-d', self.queue, '--count', '1', '--json')
                message = json.loads(received.stdout)
                self.assertEqual(message['body'], 'ü')
                self.assertEqual('content-length' in message['headers'], has_length)

    def test_receiving_from_an_empty_queue_times_out(self):
        done = run('receive', *self.url, '-d', self.queue, '--count', '1', '--wait', '0.2')
        self.assertEqual(done.returncode, TIMED_OUT, done)

    def test_refused_by_the_broker(self):
        done = run('send', *self.url, '-d', '', '--body', 'x')
        self.assertIn(done.returncode, (REFUSED, USAGE), done)
        done = run('receive', *self.url, '-d', '/queue/a', '--durable', 'x', '--client-id', 'y',
                   '--wait', '1')
        self.assertEqual(done.returncode, REFUSED, done)
        self.assertIn('durabl', done.stderr)

    def test_bench_verifies_what_it_measures(self):
        done = run('bench', *self.url, '-d', self.queue, '--count', '2000', '--json')
        self.assertEqual(done.returncode, 0, done)
        result = json.loads(done.stdout)
        self.assertTrue(result['good'], result)
        self.assertEqual((result['sent'], result['delivered'], result['missing']), (2000, 2000, 0))

    def test_status_tells_of_a_queue(self):
        with self.broker.connect() as client:
            for _ in range(3):
                client.publish(self.queue, 'waiting')
            done = run('status', '--api', self.broker.http_url, '--json')
            self.assertEqual(done.returncode, 0, done)
            self.assertIn(self.queue.removeprefix('/queue/'), done.stdout)
            json.loads(done.stdout)
            self.assertEqual(run('status', '--api', self.broker.http_url).returncode, 0)

    def test_health_and_metrics(self):
        status, text = self.broker.get('/health')
        self.assertEqual(status, 200, text)
        json.loads(text)
        before = self._metric('pabal_enqueued_total')
        with self.broker.connect() as client:
            client.publish(self.queue, 'one')
            client.publish(self.queue, 'two')
        wait_for(lambda: self._metric('pabal_enqueued_total') >= before + 2, 'two more messages')
        self.assertEqual(self.broker.get('/no/such/page')[0], 404)

    def _metric(self, name):
        status, text = self.broker.get('/metrics')
        self.assertEqual(status, 200)
        return float(re.search(rf'^{name} (\S+)$', text, re.MULTILINE).group(1))

    def test_it_listens_on_the_loopback_only(self):
        listening = set()
        for table in ('tcp', 'tcp6'):
            with open(f'/proc/net/{table}', encoding='ascii') as lines:
                for line in list(lines)[1:]:
                    address, state = line.split()[1], line.split()[3]
                    host, port = address.split(':')
                    if state == '0A' and int(port, 16) in self.broker.ports.values():
                        listening.add((host, int(port, 16)))
        self.assertEqual(listening, {('0100007F', port) for port in self.broker.ports.values()})

    def test_a_client_that_stops_its_heart_beats_is_dropped(self):
        with self.broker.connect(heart_beat='200,0') as client:
            # Says nothing more. The broker closes; if it never did, expect_closed would give up.
            client.expect_closed()

    def test_garbage_is_answered_and_closed(self):
        for garbage in (b'GET / HTTP/1.0\r\n\r\n', b'\x16\x03\x01' + bytes(100), b'CONNEKT\n\n\0'):
            with Client(self.broker.ports['stomp'], connect=False) as client:
                client.send_raw(garbage)
                client.flush()
                client.expect_closed()
        self.assertTrue(self.broker.alive())

    def test_many_clients_that_vanish_leave_nothing(self):
        for _ in range(200):
            with self.broker.connect() as client:
                client.send_raw(encode('SUBSCRIBE', {'destination': self.queue, 'id': '0'}))
                client.send_raw(b'SEND\ndestination:/queue/never\ncontent-length:10000\n\nbegun')
                client.flush()
        wait_for(lambda: self._metric('pabal_clients') == 0, 'all clients to be gone')
        with self.broker.connect() as client:
            client.subscribe('/queue/never')
            self.assertTrue(client.nothing_pending())


class LifeTest(unittest.TestCase):
    def test_sigterm_finishes_and_exits_0(self):
        with Broker() as broker:
            idle, busy = broker.connect(), broker.connect()
            self.addCleanup(idle.close)
            self.addCleanup(busy.close)
            for number in range(500):
                busy.publish('/queue/stop', f'{number}', wait=False, receipt=f'{number}')
            busy.flush()
            busy.expect('RECEIPT')
            broker_code = broker.terminate()
            self.assertEqual(broker_code, 0, broker.log_tail())
            confirmed = 1 + sum(frame.command == 'RECEIPT' for frame in busy.expect_closed())
            idle.expect_closed()
            broker.start()
            with broker.connect() as client:
                client.publish('/queue/stop', 'marker', priority=0)
                client.subscribe('/queue/stop')
                count = 0
                while (frame := client.expect('MESSAGE')).body != b'marker':
                    self.assertEqual(frame.text, f'{count}')
                    count += 1
            self.assertGreaterEqual(count, confirmed)

    def test_a_second_process_on_the_same_directory_is_refused(self):
        with Broker() as broker:
            second = run(*broker.command_line()[1:])
            self.assertNotEqual(second.returncode, 0)
            self.assertNotIn('pabal ready', second.stdout)
            self.assertIn(broker.data, second.stderr)
            self.assertRegex(second.stderr, r'(?i)in use|another|already')
            # The first one did not suffer.
            with broker.connect() as client:
                client.publish('/queue/a', 'still here')

    def test_a_port_that_is_taken_is_named(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            broker = Broker(options={'stomp.port': port}, start=False)
            self.addCleanup(broker.close)
            done = run(*broker.command_line()[1:])
            self.assertNotEqual(done.returncode, 0)
            self.assertNotIn('pabal ready', done.stdout)
            self.assertIn(str(port), done.stderr)

    def test_listeners_that_are_off_are_not_opened(self):
        with Broker(options={'http.port': 'off', 'ws.port': 'off'}) as broker:
            self.assertEqual(set(broker.ports), {'stomp'})

    def test_a_protocol_not_built_yet_is_reported_and_not_opened(self):
        with Broker(options={'stomp.tls.port': 0}) as broker:
            self.assertNotIn('stomp.tls', broker.ports)
            self.assertIn('stomp.tls', broker.log_tail())

    def test_the_directory_without_a_broker_can_be_checked_and_mapped(self):
        with Broker() as broker:
            with broker.connect() as client:
                for _ in range(10):
                    client.publish('/queue/kept', 'x' * 1000)
            broker.kill()
            store = os.path.join(broker.data, 'store')
            checked = run('store', 'check', store, '--json')
            self.assertEqual(checked.returncode, 0, checked)
            self.assertEqual(json.loads(checked.stdout)['messages'], 10)
            mapped = run('store', 'map', store)
            self.assertEqual(mapped.returncode, 0, mapped)
            self.assertIn('kept', mapped.stdout)


class ConfigurationTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='pabal-test-')
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as file:
            self.sample = file.read()

    def write(self, text):
        path = os.path.join(self.folder, 'pabal.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    def test_of_the_sample_only_what_is_not_built_is_not_honoured(self):
        done = run('check', '--json', os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        findings = json.loads(done.stdout)['findings']
        for finding in findings:
            self.assertIn('is not built', finding['text'])
            self.assertEqual(finding['severity'], 'warning')

    def test_a_wrong_value_stops_the_start_with_its_place_and_opens_nothing(self):
        lines = self.sample.splitlines()
        row = next(index for index, line in enumerate(lines) if ' persistent="true"' in line)
        lines[row] = lines[row].replace(' persistent="true"', ' persistent="perhaps"')
        path = self.write('\n'.join(lines))
        broker = Broker(config=path, start=False)
        self.addCleanup(broker.close)
        done = run(*broker.command_line()[1:])
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, '')
        column = lines[row].index('persistent=') + 1
        place = f'{path}:{row + 1}:{column}'
        self.assertIn(place, done.stderr)
        self.assertIn('perhaps', done.stderr)
        self.assertFalse(os.path.exists(broker.data), 'the data directory was made')
        checked = run('check', path)
        self.assertEqual(checked.returncode, FAILED)
        self.assertIn(place, checked.stdout + checked.stderr)

    def test_a_wrong_definition_stops_the_start(self):
        broker = Broker(options={'stomp.port': '70000'}, start=False)
        self.addCleanup(broker.close)
        done = run(*broker.command_line()[1:])
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('65535', done.stderr)
        self.assertFalse(os.path.exists(broker.data))

    def test_what_guards_access_and_is_not_built_stops_the_start(self):
        path = self.write(re.sub(
            r'</broker>',
            '<plugins><simpleAuthenticationPlugin><users>'
            '<authenticationUser username="a" password="b" groups="c"/>'
            '</users></simpleAuthenticationPlugin></plugins></broker>', self.sample))
        broker = Broker(config=path, start=False)
        self.addCleanup(broker.close)
        done = run(*broker.command_line()[1:])
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, re.escape(path) + r':\d+:\d+')
        self.assertFalse(os.path.exists(broker.data))
        checked = run('check', path)
        self.assertEqual(checked.returncode, FAILED, checked)
        self.assertEqual(run('check', '--insecure', path).returncode, 0)


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
