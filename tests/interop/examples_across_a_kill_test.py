#!/usr/bin/env python3
"""The example clients, each language sending to each, with a kill -9 between sending and receiving."""

import itertools
import os
import subprocess
import sys
import unittest

from broker import SOURCE_DIR, WAIT_SECONDS, Broker

EXAMPLES = os.path.join(SOURCE_DIR, 'examples')
COURIERS = {
    'python': [sys.executable, os.path.join(EXAMPLES, 'courier.py')],
    'ruby': ['ruby', os.path.join(EXAMPLES, 'courier.rb')],
    'node': ['node', os.path.join(EXAMPLES, 'courier.js')],
}
TEXT = 'payroll für 김철수 ☂ 🐎'


def courier(language, broker, *words):
    """Runs one example; answers what it printed."""
    environment = {**os.environ,
                   'NODE_PATH': os.path.join(os.environ.get('PABAL_NODE_DIR', ''), 'node_modules')}
    done = subprocess.run([*COURIERS[language], '--port', str(broker.ports['stomp']), *words],
                          env=environment, capture_output=True, text=True, timeout=WAIT_SECONDS,
                          check=False)
    assert done.returncode == 0, f'{language} {words}: {done.returncode}\n{done.stderr}'
    return done.stdout


class ExamplesAcrossAKillTest(unittest.TestCase):
    def test_every_language_consumes_what_every_other_sent_before_the_kill(self):
        pairs = list(itertools.product(COURIERS, repeat=2))
        with Broker() as broker:
            for sender, receiver in pairs:
                for number in ('1', '2'):
                    courier(sender, broker, 'send', f'{sender}.{receiver}', f'{TEXT} {number}')
            broker.kill()
            broker.start()
            for sender, receiver in pairs:
                with self.subTest(sender=sender, receiver=receiver):
                    printed = courier(receiver, broker, 'receive', f'{sender}.{receiver}', '2')
                    self.assertEqual(printed, f'{TEXT} 1\n{TEXT} 2\n')
            # They acknowledged: nothing comes again, neither now nor after another kill.
            broker.kill()
            broker.start()
            with broker.connect() as client:
                for sender, receiver in pairs:
                    queue = f'/queue/{sender}.{receiver}'
                    client.publish(queue, 'marker', priority=0)
                    client.subscribe(queue, id=queue)
                    self.assertEqual(client.receive().body, b'marker')


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
