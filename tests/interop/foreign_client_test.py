#!/usr/bin/env python3
"""Runs a client script in another language against the running program.

    foreign_client_test.py INTERPRETER SCRIPT [ARGUMENT…]
    foreign_client_test.py PROGRAM SOURCE         (of a compiled one)

The script finds the ports in STOMP_PORT, WS_PORT and MQTT_PORT, prints "ok NAME" for each of its
scenarios, and exits 0. A scenario is a line of the script that starts `scenario('NAME'`, also with double
quotes, or `scenario 'NAME'`; each of them must report, so that a script which does nothing fails.
"""

import os
import re
import subprocess
import sys

from broker import Broker

SCENARIO = re.compile(r"^\s*scenario[ (]['\"]([^'\"]+)['\"]", re.MULTILINE)
TIMEOUT_SECONDS = 200


def environment(broker):
    return {**os.environ, 'STOMP_PORT': str(broker.ports['stomp']),
            'MQTT_PORT': str(broker.ports['mqtt']),
            'WS_PORT': str(broker.ports.get('ws', 0)),
            'NODE_PATH': os.path.join(os.environ.get('PABAL_NODE_DIR', ''), 'node_modules')}


def main():
    interpreter, script, *arguments = sys.argv[1:]
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), script)
    with open(script, encoding='utf-8') as source:
        expected = SCENARIO.findall(source.read())
    assert expected, f'no scenario in {script}'
    with Broker(options={'mqtt.port': 0, 'ws.port': 0}) as broker:
        done = subprocess.run([interpreter, script, *arguments], env=environment(broker), text=True,
                              stdout=subprocess.PIPE, timeout=TIMEOUT_SECONDS, check=False)
        print(done.stdout)
        reported = re.findall(r'^ok (.*)$', done.stdout, re.MULTILINE)
        missing = [name for name in expected if name not in reported]
        assert done.returncode == 0, f'{interpreter} ended with {done.returncode}'
        assert not missing, f'no word of: {missing}'
        assert broker.alive(), 'the broker ended'


if __name__ == '__main__':
    main()
