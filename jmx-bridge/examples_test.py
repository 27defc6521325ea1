#!/usr/bin/env python3
"""Runs the programs of examples/java as their comments say, with a kill -9 of the broker between them.

    examples_test.py CLASSPATH
"""

import os
import subprocess
import sys
import unittest

from broker import SOURCE_DIR, WAIT_SECONDS, Broker

EXAMPLES = os.path.join(SOURCE_DIR, 'examples', 'java')
CLASSPATH = sys.argv.pop(1)


def command(broker, example, *words):
    return ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC',
            f'-Djava.naming.provider.url=failover:({broker.stomp_url})?maxReconnectDelay=50',
            f'-Dbroker=failover:({broker.stomp_url})', '-cp',
            f'{os.path.join(EXAMPLES, "pabal")}:{CLASSPATH}',
            os.path.join(EXAMPLES, example + '.java'), *words]


def run(broker, example, *words, code=0):
    """Runs it to its end; answers the lines that it printed."""
    done = subprocess.run(command(broker, example, *words), capture_output=True, text=True,
                          timeout=WAIT_SECONDS, check=False)
    assert done.returncode == code, f'{example} {words}: {done.returncode}\n{done.stderr}'
    return done.stdout.splitlines()


class ExamplesTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.close)

    def restart(self):
        self.broker.kill()
        self.broker.start()

    def test_queue_worker(self):
        run(self.broker, 'QueueWorker', 'send', 'two horses')
        run(self.broker, 'QueueWorker', 'send', '말 세 마리 🐎')
        self.restart()
        done = ['two horses: delivered', '말 세 마리 🐎: delivered']
        self.assertEqual(run(self.broker, 'QueueWorker', 'work', '2'), done)
        self.restart()
        self.assertEqual(run(self.broker, 'QueueWorker', 'results', '2'), done)

    def test_xa_transfer_across_kills(self):
        run(self.broker, 'QueueWorker', 'send', 'one horse')
        self.assertEqual(run(self.broker, 'XaTransfer', 'move', 'example.orders', 'example.on'),
                         ['moved'])
        self.assertEqual(run(self.broker, 'XaTransfer', 'prepare', 'example.on', 'example.done',
                             code=1), ['prepared'])
        self.restart()
        self.assertEqual(run(self.broker, 'XaTransfer', 'recover', 'commit'), ['committed'])
        self.assertEqual(run(self.broker, 'XaTransfer', 'recover', 'rollback'), [])
        self.assertEqual(run(self.broker, 'QueueWorker', 'results', '1'), ['one horse'])

    def test_request_and_reply(self):
        with subprocess.Popen(command(self.broker, 'RequestReply', 'serve', '2')) as service:
            try:
                for question in ('How far to Uiju?', 'And to Busan?'):
                    self.assertEqual(run(self.broker, 'RequestReply', 'ask', question),
                                     [question + ' Ten days.'])
                self.assertEqual(service.wait(WAIT_SECONDS), 0)
            finally:
                service.kill()

    def test_durable_subscriber(self):
        run(self.broker, 'DurableSubscriber', 'listen', '0')  # now it is known
        run(self.broker, 'DurableSubscriber', 'publish', 'while it was away')
        self.restart()
        self.assertEqual(run(self.broker, 'DurableSubscriber', 'listen', '1'),
                         ['while it was away'])
        run(self.broker, 'DurableSubscriber', 'forget')

    def test_spring(self):
        lines = run(self.broker, 'SpringPayroll', os.path.join(EXAMPLES, 'spring-payroll.xml'), '5')
        self.assertEqual(sorted(lines), [f'employee {i} is paid' for i in range(1, 6)])


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
