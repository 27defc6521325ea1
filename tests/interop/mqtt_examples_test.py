#!/usr/bin/env python3
"""The MQTT examples: a device in Paho C++, a dashboard in Paho Python, and a back end that speaks STOMP,
with kill -9 between what one says and another hears."""

import os
import subprocess
import sys
import unittest

from broker import SOURCE_DIR, WAIT_SECONDS, Broker

EXAMPLES = os.path.join(SOURCE_DIR, 'examples')
DEVICE = [os.path.join(os.environ.get('PABAL_BUILD_DIR', ''), 'example_device')]
DASHBOARD = [sys.executable, os.path.join(EXAMPLES, 'dashboard.py')]
BACK_END = [sys.executable, os.path.join(EXAMPLES, 'back_end.py')]


class MqttExamplesTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker(options={'mqtt.port': 0})
        self.addCleanup(self.broker.close)

    def command(self, example, words):
        port = self.broker.ports['stomp' if example is BACK_END else 'mqtt']
        return [*example, '--port', str(port), *map(str, words)]

    def run_example(self, example, *words):
        """Runs one to its end; answers the lines that it printed."""
        done = subprocess.run(self.command(example, words), capture_output=True, text=True,
                              timeout=2 * WAIT_SECONDS, check=False)
        self.assertEqual(done.returncode, 0, f'{words}: {done.stderr}')
        return done.stdout.splitlines()

    def start(self, example, *words):
        process = subprocess.Popen(self.command(example, words), stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def kill_and_start(self):
        self.broker.kill()
        self.broker.start()

    def test_devices_and_a_back_end_across_kills(self):
        self.assertEqual(self.run_example(BACK_END, 'readings', 0), [])
        self.kill_and_start()
        self.run_example(DEVICE, 'one', 'report', '21 °C', '22 °C')
        self.run_example(DEVICE, 'two', 'report', '30 °C')
        self.run_example(DEVICE, 'two', 'alarm', 'fire', 'smoke')
        self.kill_and_start()
        self.assertEqual(self.run_example(BACK_END, 'readings', 3), ['21 °C', '22 °C', '30 °C'])
        self.assertEqual(self.run_example(BACK_END, 'alarms', 2), ['fire', 'smoke'])
        self.kill_and_start()
        self.assertEqual(self.run_example(DEVICE, 'one', 'obey', 2), ['seen: 21 °C', 'seen: 22 °C'])
        self.assertEqual(self.run_example(DEVICE, 'two', 'obey', 3),
                         ['seen: 30 °C', 'seen: fire', 'seen: smoke'])
        self.kill_and_start()
        # All of it was settled, and the status of each device is still known.
        depths = {queue['name']: queue['depth']
                  for queue in self.broker.get_json('/api/queues')['queues']}
        self.assertEqual(depths, {'Consumer.back_end.VirtualTopic.readings.>': 0, 'alarms': 0})
        self.assertEqual(sorted(self.run_example(DASHBOARD, 2)),
                         ['one status: away', 'two status: away'])

    def test_the_dashboard_sees_it_live(self):
        self.run_example(DEVICE, 'one', 'report', 'before')
        dashboard = self.start(DASHBOARD)
        lines = iter(dashboard.stdout.readline, '')
        self.assertEqual(next(lines), 'one status: away\n')  # retained: it has subscribed
        self.run_example(DEVICE, 'one', 'report', '21 °C', '22 °C')
        self.assertEqual([next(lines) for _ in range(4)],
                         ['one status: present\n', 'one readings: 21 °C\n',
                          'one readings: 22 °C\n', 'one status: away\n'])
        device = self.start(DEVICE, 'one', 'obey', 1)
        self.assertEqual(next(lines), 'one status: present\n')
        device.kill()
        self.assertEqual(next(lines), 'one status: lost\n')


if __name__ == '__main__':
    unittest.main(verbosity=2)
