#!/usr/bin/env python3
"""ActiveMQ's own examples, from the documentation of Debian's package `activemq`, unchanged but for the
URL: they are compiled from where they are, and told the port by the means that they have.

Not run, because Debian lacks the library that they are about: openwire/csharp and stomp/csharp (NMS),
openwire/cpp and stomp/cpp (ActiveMQ-CPP), stomp/java (StompJms), stomp/perl (Net::STOMP::Client) and
stomp/python/stompest; and because they are older than what Debian has: stomp/python/stomppy (stomp.py
before 5) and stomp/ruby/catstomp.rb (Ruby before 2.4, NIL).
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest

from broker import WAIT_SECONDS
from java_broker import broker_named
from java_suite_test import COMMON, JAVA, STOCK

EXAMPLES = '/usr/share/doc/activemq/examples'
BROKER = os.environ.get('PABAL_JAVA_BROKER', 'pabal')
CLASS_PATH = ':'.join(os.path.join(JAVA, word + '.jar') for word in COMMON + STOCK)
MQTT_PATH = ':'.join(os.path.join(JAVA, word + '.jar')
                     for word in ['mqtt-client', 'hawtbuf', 'hawtdispatch', 'hawtdispatch-transport'])
HUNDRED = [f'Message #{i}' for i in range(100)]


class Program:
    """One example that runs: its lines can be waited for, and sent to it."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip('\n'))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait(self, condition, what):
        with self._changed:
            if not self._changed.wait_for(condition, WAIT_SECONDS):
                raise AssertionError(f'{self.process.args} in vain for {what}: {self.lines[-20:]}')

    def wait_for(self, pattern, count=1):
        """Until so many lines match; answers them."""
        def matching():
            return [line for line in self.lines if re.search(pattern, line)]
        self._wait(lambda: self._ended or len(matching()) >= count, f'{count} times {pattern}')
        found = matching()
        assert len(found) >= count, f'{self.process.args} ended without {pattern}: {self.lines[-20:]}'
        return found

    def say(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def end(self):
        """Waits until it ends by itself."""
        self._wait(lambda: self._ended, 'its end')
        assert self.process.wait() == 0, f'{self.process.args}: {self.lines[-20:]}'
        return self.lines

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdin.close()
        self.process.stdout.close()


class ActiveMQExamplesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = cls.enterClassContext(broker_named(BROKER))
        cls.url = cls.broker.openwire_url
        cls.mqtt_port = cls.broker.mqtt_port
        cls.classes = cls.enterClassContext(tempfile.TemporaryDirectory())

    def compiled(self, group, path):
        """The folder of its classes; each group in its own, because several have the same names."""
        target = os.path.join(self.classes, group)
        if not os.path.isdir(target):
            folder = group.replace('/jms-', '/advanced-scenarios/jms-')
            sources = [os.path.join(place, file)
                       for place, _, files in os.walk(os.path.join(EXAMPLES, folder))
                       for file in files if file.endswith('.java')]
            subprocess.run(['javac', '-nowarn', '-encoding', 'UTF-8', '-d', target, '-cp', path,
                            *sources], check=True, capture_output=True)
        return target

    def begin(self, group, name, *arguments, path=CLASS_PATH, options=(), port=None):
        port = port or self.url.rpartition(':')[2]
        program = Program(
            ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx128m', *options, '-cp',
             self.compiled(group, path) + ':' + path, name, *arguments],
            {'ACTIVEMQ_HOST': '127.0.0.1', 'ACTIVEMQ_PORT': port})
        self.addCleanup(program.kill)
        return program

    def advanced(self, group, name, options=()):
        return self.begin(f'openwire/jms-example-{group}', name, self.url, options=options)

    def publish_until(self, listener, publisher):
        """The listeners do not say when they have subscribed, so there is news until one has heard
        the end of it. Answers what it printed."""
        while listener.process.poll() is None:
            publisher().end()
        return listener.end()

    def test_openwire_java(self):
        listener = self.begin('openwire/java', 'example.Listener')
        listener.wait_for('Waiting for messages')  # This one has subscribed then.
        self.begin('openwire/java', 'example.Publisher').end()
        # It counts from 1, so that it says one more than it got.
        self.assertRegex(listener.end()[-1], r'Received 10001 in')
        self.assertFalse([line for line in listener.lines if 'mismatch' in line])

    def test_mqtt_java(self):
        listener = self.begin('mqtt/java', 'example.Listener', path=MQTT_PATH, port=self.mqtt_port)
        lines = self.publish_until(listener, lambda: self.begin(
            'mqtt/java', 'example.Publisher', path=MQTT_PATH, port=self.mqtt_port))
        self.assertRegex(lines[-1], r'Received \d+ in')

    def test_stomp_ruby(self):
        listener = self.ruby('listener.rb')
        lines = self.publish_until(listener, lambda: self.ruby('publisher.rb'))
        self.assertRegex(lines[-1], r'Received \d+ in')

    def test_stomp_php(self):
        listener = self.script(['php'], 'php/listener.php')
        lines = self.publish_until(listener, lambda: self.script(['php'], 'php/publisher.php'))
        self.assertRegex(lines[-1], r'Received \d+ in')
        self.assertNotIn('Unexpected frame.', lines)

    def ruby(self, script):
        return self.script(['ruby', '-W0'], f'ruby/{script}')

    def script(self, interpreter, path):
        program = Program([*interpreter, f'{EXAMPLES}/stomp/{path}'],
                          {'ACTIVEMQ_HOST': '127.0.0.1',
                           'ACTIVEMQ_PORT': self.broker.stomp_url.rpartition(':')[2]})
        self.addCleanup(program.kill)
        return program

    def test_topic(self):
        subscriber = self.advanced('topic', 'example.topic.Subscriber')
        lines = self.publish_until(
            subscriber, lambda: self.advanced('topic', 'example.topic.Publisher'))
        self.assertIn('Received END message!', lines)
        got = [line.partition(':')[2] for line in lines if line.startswith('Received message')]
        self.assertEqual(got, HUNDRED[len(HUNDRED) - len(got):])

    def test_durable_subscriber(self):
        def subscriber():
            return self.advanced('durable-sub', 'example.topic.durable.Subscriber',
                                 options=['-DclientId=kitchen'])
        first = subscriber()
        self.publish_until(first, lambda: self.advanced(
            'durable-sub', 'example.topic.durable.Publisher'))
        # Now there is a subscription: everything waits for who comes later.
        self.advanced('durable-sub', 'example.topic.durable.Publisher').end()
        lines = subscriber().end()
        got = [line.partition(':')[2] for line in lines if line.startswith('Received message')]
        self.assertEqual(got[-100:], HUNDRED)

    def test_queue(self):
        consumer = self.advanced('queue', 'example.queue.Consumer')
        self.advanced('queue', 'example.queue.Producer').end()
        got = consumer.wait_for('Got .*message', 100)
        self.assertEqual(got, [f'Got {i}. message: {text}' for i, text in enumerate(HUNDRED)])
        consumer.kill()

        self.advanced('message-browser', 'example.browser.Producer').end()
        browsed = self.advanced('message-browser', 'example.browser.Browser').end()
        self.assertEqual(len([line for line in browsed if line.startswith('Browsing: ')]), 100)
        consumer = self.advanced('exclusive-consumer', 'example.queue.exclusive.Consumer')
        self.advanced('exclusive-consumer', 'example.queue.exclusive.Producer').end()
        self.assertEqual(len(consumer.wait_for('Got .*message', 200)), 200)
        consumer.kill()

        self.advanced('queue-selector', 'example.queue.selector.Producer').end()
        selecting = self.advanced('queue-selector', 'example.queue.selector.Consumer')
        got = selecting.wait_for('Got .*message', 50)
        self.assertEqual([line.partition(': ')[2] for line in got], HUNDRED[::2])
        selecting.kill()
        rest = self.advanced('queue', 'example.queue.Consumer')
        got = rest.wait_for('Got .*message', 50)
        self.assertEqual([line.partition(': ')[2] for line in got], HUNDRED[1::2])
        rest.kill()

        answering = self.advanced('temp-destinations', 'example.tempdest.Consumer')
        asking = self.advanced('temp-destinations', 'example.tempdest.ProducerRequestReply')
        asking.wait_for('REPLY')
        answering.kill()

        consumer = self.advanced('composite-destinations', 'example.composite.dest.Consumer')
        self.advanced('composite-destinations', 'example.composite.dest.Producer').end()
        consumer.wait_for('Got .* on test-queue: Message #10')
        consumer.wait_for('Got .* on test-queue-foo: Message #10')
        consumer.wait_for('Got .* on test-queue-bar: Message #10')
        consumer.wait_for('Got .* on test-topic-bar: Message #')

    def test_transaction(self):
        client = self.advanced('transaction', 'example.transaction.Client')
        client.wait_for('Type a message')
        for word in ('never', 'ROLLBACK', 'one', 'two', 'COMMIT'):
            client.say(word)
        client.wait_for('We received a new message: two')
        self.assertEqual(client.wait_for('We received'),
                         ['We received a new message: one', 'We received a new message: two'])

    def test_wildcard_consumer(self):
        client = self.advanced('wildcard-consumer', 'example.wildcard.Client',
                               options=['-DtopicName=kitchen', '-Dwildcard=.>'])
        client.wait_for('Enter a message')
        client.say('soup at noon')
        client.wait_for('We received a new message: soup at noon')


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
