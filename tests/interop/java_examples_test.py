#!/usr/bin/env python3
"""The Java examples (examples/java) with the stock ActiveMQ client, run as their first lines say (but
compiled once)."""

import glob
import os
import subprocess
import sys
import tempfile
import unittest

from broker import SOURCE_DIR, WAIT_SECONDS
from java_broker import broker_named
from java_suite_test import COMMON, JAVA, SPRING, STOCK

EXAMPLES = os.path.join(SOURCE_DIR, 'examples', 'java')
CLASS_PATH = ':'.join(os.path.join(JAVA, word + '.jar') for word in COMMON + STOCK + SPRING)
BROKER = os.environ.get('PABAL_JAVA_BROKER', 'pabal')

classes = tempfile.TemporaryDirectory()


def setUpModule():
    subprocess.run(['javac', '-encoding', 'UTF-8', '-d', classes.name, '-cp', CLASS_PATH,
                    *glob.glob(os.path.join(EXAMPLES, '*.java'))], check=True)


def begin(program, *words, options=()):
    return subprocess.Popen(
        ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx128m', *options, '-cp',
         f'{classes.name}:{os.path.join(EXAMPLES, "activemq")}:{CLASS_PATH}', program, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process, code=0):
    """Waits for a program; answers the lines that it printed."""
    try:
        out, errors = process.communicate(timeout=2 * WAIT_SECONDS)
    finally:
        process.kill()
    assert process.returncode == code, f'{process.args}: {process.returncode}\n{errors}'
    return out.splitlines()


class JavaExamplesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = cls.enterClassContext(broker_named(BROKER))
        cls.url = f'failover:({cls.broker.openwire_url})?maxReconnectDelay=50'

    def begin(self, program, *words):
        return begin(program, *words, options=[
            f'-Djava.naming.provider.url={self.url}', f'-Dbroker={self.url}',
            '-Dorg.apache.commons.logging.Log=org.apache.commons.logging.impl.NoOpLog'])

    def run_to_end(self, program, *words, code=0):
        return end(self.begin(program, *words), code)

    def restart(self):
        self.broker.kill()
        self.broker.start()

    def test_queue_worker_and_xa_transfer_across_kills(self):
        for order in ('two horses', '말 세 마리 🐎'):
            self.run_to_end('QueueWorker', 'send', order)
        self.restart()
        self.run_to_end('QueueWorker', 'work', '2')
        self.assertEqual(
            self.run_to_end('XaTransfer', 'move', 'example.done', 'example.moved'), ['moved'])
        self.assertEqual(
            self.run_to_end('XaTransfer', 'prepare', 'example.done', 'example.moved', code=1),
            ['prepared'])
        self.restart()
        self.assertEqual(self.run_to_end('XaTransfer', 'recover', 'rollback'), ['rolled back'])
        self.assertEqual(self.run_to_end('XaTransfer', 'recover', 'commit'), [])
        self.assertEqual(self.run_to_end('QueueWorker', 'results', '1'), ['말 세 마리 🐎: delivered'])

    def test_request_and_reply(self):
        serving = self.begin('RequestReply', 'serve', '1')
        self.assertEqual(self.run_to_end('RequestReply', 'ask', 'How far to Uiju?'),
                         ['How far to Uiju? Ten days.'])
        end(serving)

    def test_durable_subscriber(self):
        self.run_to_end('DurableSubscriber', 'listen', '0')
        self.run_to_end('DurableSubscriber', 'publish', 'while it was away')
        self.assertEqual(self.run_to_end('DurableSubscriber', 'listen', '1'), ['while it was away'])
        self.run_to_end('DurableSubscriber', 'forget')

    def test_spring(self):
        lines = self.run_to_end(
            'SpringPayroll', os.path.join(EXAMPLES, 'activemq', 'spring-payroll.xml'), '5')
        self.assertEqual(sorted(lines), [f'employee {i} is paid' for i in range(1, 6)])


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
