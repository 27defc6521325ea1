#!/usr/bin/env python3
"""mosquitto_pub and mosquitto_sub (Debian's mosquitto-clients) against the running program, at every
protocol level and QoS, and across kill -9."""

import subprocess
import unittest

from broker import WAIT_SECONDS, Broker

LEVELS = ('mqttv31', 'mqttv311', '5')
QOS = (0, 1, 2)


class Listener:
    """A mosquitto_sub that has subscribed."""

    def __init__(self, broker, *arguments):
        # stdbuf: or the line about the subscription would come with the end.
        self._process = subprocess.Popen(
            ['stdbuf', '-oL', 'mosquitto_sub', '-d', '-p', str(broker.ports['mqtt']),
             *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self._process.stdout:
            if line.startswith('Subscribed'):
                return
        raise AssertionError('mosquitto_sub did not subscribe')

    def lines(self):
        """What it printed but for its debug lines, when it has ended (-C)."""
        text, _ = self._process.communicate(timeout=WAIT_SECONDS)
        return [line for line in text.splitlines()
                if not line.startswith(('Client ', 'Subscribed', 'Received '))]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()


def publish(broker, *arguments):
    subprocess.run(['mosquitto_pub', '-p', str(broker.ports['mqtt']), *map(str, arguments)],
                   check=True, timeout=WAIT_SECONDS)


def receive(broker, *arguments):
    """Runs a mosquitto_sub to its end (-C, -W or -E) and answers what it printed."""
    done = subprocess.run(['mosquitto_sub', '-p', str(broker.ports['mqtt']),
                           *map(str, arguments)],
                          capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert done.returncode in (0, 27), done.stderr  # 27: -W was over
    return done.stdout.splitlines()


class MosquittoTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker(options={'mqtt.port': 0})
        self.addCleanup(self.broker.close)

    def test_every_level_and_qos(self):
        for level in LEVELS:
            for qos in QOS:
                with self.subTest(level=level, qos=qos), \
                        Listener(self.broker, '-V', level, '-t', 'a/+', '-q', qos, '-C', 2,
                                 '-v') as listener:
                    publish(self.broker, '-V', level, '-t', 'a/b', '-q', qos, '-m', 'one')
                    publish(self.broker, '-V', level, '-t', 'a/b', '-q', qos, '-m', 'two')
                    self.assertEqual(listener.lines(), ['a/b one', 'a/b two'])

    def test_properties(self):
        with Listener(self.broker, '-V', 5, '-t', 't', '-C', 1, '-F',
                      '%p|%C|%R|%D|%E|%P') as listener:
            publish(self.broker, '-V', 5, '-t', 't', '-m', 'x', '-D', 'publish', 'content-type',
                    'text/x', '-D', 'publish', 'response-topic', 'r/s', '-D', 'publish',
                    'correlation-data', 'c', '-D', 'publish', 'message-expiry-interval', 100,
                    '-D', 'publish', 'user-property', 'k', 'v')
            self.assertEqual(listener.lines(), ['x|text/x|r/s|c|100|k:v'])

    def test_kept_session_and_retained_across_kill(self):
        for level in LEVELS[1:]:
            for qos in (1, 2):
                client = f'kept-{level}-{qos}'
                kept = ['-V', level, '-i', client, '-c', '-q', qos, '-t', f'{client}/#']
                if level == '5':
                    kept += ['-x', 3600]
                with self.subTest(level=level, qos=qos):
                    receive(self.broker, *kept, '-E')
                    for number in range(20):
                        publish(self.broker, '-V', level, '-t', f'{client}/x', '-q', qos, '-m',
                                number)
                    publish(self.broker, '-t', f'retained/{client}', '-r', '-q', qos, '-m', 'kept')
                    self.broker.kill()
                    self.broker.start()
                    self.assertEqual(receive(self.broker, *kept, '-C', 20),
                                     [str(number) for number in range(20)])
                    self.assertEqual(receive(self.broker, '-t', 'retained/+', '-C', 1, '-F',
                                             '%r %p'), ['1 kept'])
                    publish(self.broker, '-t', f'retained/{client}', '-r', '-n')

    def test_will_of_a_killed_client(self):
        for level in LEVELS:
            with self.subTest(level=level), \
                    Listener(self.broker, '-t', 'will/#', '-C', 1, '-v') as listener:
                with Listener(self.broker, '-V', level, '-t', 'nothing', '--will-topic',
                              f'will/{level}', '--will-payload', 'gone', '--will-qos', 1):
                    pass  # leaving kills it
                self.assertEqual(listener.lines(), [f'will/{level} gone'])

    def test_shared_subscription(self):
        share = ['-V', 5, '-q', 1, '-t', '$share/g/s/#', '-C', 10]
        with Listener(self.broker, *share) as one, Listener(self.broker, *share) as two:
            for number in range(20):
                publish(self.broker, '-q', 1, '-t', f's/{number}', '-m', number)
            self.assertEqual(sorted(one.lines() + two.lines(), key=int),
                             [str(number) for number in range(20)])

    def test_crosses_to_stomp(self):
        with self.broker.connect() as client:
            client.subscribe('/topic/a.b')
            publish(self.broker, '-V', 5, '-t', 'a/b', '-q', 1, '-m', 'from a device', '-D',
                    'publish', 'content-type', 'text/x', '-D', 'publish', 'user-property', 'k', 'v')
            message = client.expect('MESSAGE')
            self.assertEqual(message.body, b'from a device')
            self.assertEqual(message.headers['content-type'], 'text/x')
            self.assertEqual(message.headers['k'], 'v')
            with Listener(self.broker, '-V', 5, '-t', 'a/c', '-C', 1, '-F', '%p|%C|%P') as listener:
                client.publish('/topic/a.c', b'from the back end', k='v')
                payload, content_type, user = listener.lines()[0].split('|')
            self.assertEqual(payload, 'from the back end')
            self.assertIn('k:v', user)


if __name__ == '__main__':
    unittest.main(verbosity=2)
