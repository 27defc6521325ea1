#!/usr/bin/env python3
"""`pabal bench` drives MQTT: every way, against the running program; each run verifies that every
message came once, whole and in order, or says so."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import unittest

from broker import Broker, run, wait_for

FAILED, UNREACHABLE = 1, 3


class BenchMqttTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker(options={'mqtt.port': 0})
        cls.addClassCleanup(cls.broker.close)

    def bench(self, *arguments, code=0, topic=None):
        url = f'mqtt://127.0.0.1:{self.broker.ports["mqtt"]}'
        done = run('bench', '--url', url, '-d', topic or self.id().rsplit('.', 1)[-1], '--json',
                   *arguments)
        self.assertEqual(done.returncode, code, done)
        return json.loads(done.stdout)

    def test_every_shape_at_every_qos_and_version(self):
        shapes = (([], 2000), (['-p', 5], 2000), (['-c', 5], 10000),
                  (['-p', 4, '-c', 4, '--destinations', 4], 2000),
                  (['-p', 3, '-c', 3, '--destinations', 3, '--threads', 2], 2000),
                  (['--in-flight', 10, '--window', 5, '-c', 2], 4000),
                  (['--share', 'g', '-c', 3], 2000), (['--rate', 20000], 2000))
        for version in ('3.1.1', '5'):
            for qos in (0, 1, 2):
                for shape, deliveries in shapes:
                    with self.subTest(version=version, qos=qos, shape=shape):
                        result = self.bench('-n', 2000, '--size', 64, '--qos', qos,
                                            '--mqtt-version', version, *shape)
                        self.assertEqual((result['sent'], result['delivered']), (2000, deliveries))
                        if qos > 0:
                            self.assertEqual(result['confirmed'], 2000)
                        if '--in-flight' in shape or '--rate' in shape:
                            self.assertGreater(result['latency_ms']['p50'], 0)

    def test_a_queue_is_filled_and_drained(self):
        self.bench('-c', 0, '-n', 1000, topic='$queue/filled')
        self.assertEqual(self.bench('-p', 0, '-n', 1000, topic='$queue/filled')['delivered'], 1000)

    def test_offline_sessions_are_filled_and_drained_over_a_kill(self):
        for qos in (1, 2):
            filled = self.bench('--durable', '--offline', '-c', 2, '-p', 3, '-n', 3000, '--qos', qos)
            self.assertEqual((filled['confirmed'], filled['delivered']), (3000, 0))
            self.broker.kill()
            self.broker.start()
            drained = self.bench('--durable', '-c', 2, '-p', 0, '-n', 3000, '--qos', qos)
            self.assertEqual((drained['delivered'], drained['missing']), (6000, 0))
            again = self.bench('--durable', '-c', 2, '-p', 0, '-n', 1, '--qos', qos, '--timeout', 1,
                               code=FAILED)
            self.assertEqual((again['delivered'], again['missing']), (0, 2))  # nothing came twice

    def test_retained_messages_are_set_and_received(self):
        self.bench('-c', 0, '-n', 500, '--retain', '--destinations', 500)
        self.assertEqual(self.bench('-p', 0, '-c', 3, '-n', 500, '--retain',
                                    topic=f'{self.id().rsplit(".", 1)[-1]}/#')['delivered'], 1500)

    def test_clients_that_come_all_at_once(self):
        result = self.bench('--idle', 500, '--broker-pid', self.broker.pid)
        self.assertEqual((result['idle']['served'], result['idle']['refused']), (500, 0))
        self.assertGreater(result['idle']['seconds'], 0)
        # Beside them, others work.
        beside = self.bench('--idle', 50, '-p', 1, '-c', 1, '-n', 1000)
        self.assertEqual((beside['idle']['served'], beside['delivered']), (50, 1000))

    def test_nobody_at_that_address(self):
        done = run('bench', '--url', 'mqtt://127.0.0.1:1', '-n', 1)
        self.assertEqual(done.returncode, UNREACHABLE, done)

    @unittest.skipUnless(shutil.which('mosquitto', path='/usr/sbin:/usr/bin'), 'no mosquitto')
    def test_another_broker(self):
        with tempfile.TemporaryDirectory() as directory:
            configuration = os.path.join(directory, 'mosquitto.conf')
            with socket.socket() as probe:
                probe.bind(('127.0.0.1', 0))
                port = probe.getsockname()[1]
            with open(configuration, 'w', encoding='ascii') as file:
                file.write(f'listener {port} 127.0.0.1\nallow_anonymous true\n')
            process = subprocess.Popen(['mosquitto', '-c', configuration],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env={**os.environ, 'PATH': '/usr/sbin:/usr/bin'})
            try:
                url = ['bench', '--url', f'mqtt://127.0.0.1:{port}', '--json']
                wait_for(lambda: run(*url, '-n', 1, '--window', 1).returncode == 0, 'mosquitto')
                for qos in (0, 1, 2):
                    done = run(*url, '-n', 1000, '--qos', qos, '--in-flight', 20, '--window', 20)
                    self.assertEqual(done.returncode, 0, done)
            finally:
                process.kill()
                process.wait()


if __name__ == '__main__':
    unittest.main()
