#!/usr/bin/env python3
"""Runs scenarios of the stock ActiveMQ Java client against the running program.

    openwire_java_test.py CLASSPATH CLASS

The class prints "ok NAME" for each of its scenarios and exits 0; those that its source names must all
report, so that one which does nothing fails. When it prints "kill", the broker is killed and started
again on the same port, and the class gets a line.
"""

import os
import re
import socket
import subprocess
import sys
import threading

from broker import Broker

SCENARIO = re.compile(r'^\s*scenario\("([^"]+)"', re.MULTILINE)
TIMEOUT_SECONDS = 280


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def play(broker, classpath, name, port):
    """Answers the names of the scenarios that went well, and the exit code."""
    command = ['java', '-cp', classpath, '-Xmx256m', name]
    done = []
    with subprocess.Popen(command, env={**os.environ, 'OPENWIRE_PORT': str(port)}, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        timer = threading.Timer(TIMEOUT_SECONDS, client.kill)
        timer.start()
        try:
            for line in client.stdout:
                print(line, end='')
                if line.startswith('ok '):
                    done.append(line[3:].strip())
                elif line.strip() == 'kill':
                    broker.kill()
                    broker.start()
                    client.stdin.write('go on\n')
                    client.stdin.flush()
            return done, client.wait()
        finally:
            timer.cancel()
            client.kill()


def main():
    classpath, name = sys.argv[1:]
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'openwire_client', f'{name}.java')
    with open(source, encoding='utf-8') as text:
        expected = SCENARIO.findall(text.read())
    assert expected, f'no scenario in {source}'
    # One that stays the same over restarts, for who reconnects.
    port = free_port()
    with Broker(options={'openwire.port': port}) as broker:
        done, code = play(broker, classpath, name, port)
        missing = [each for each in expected if each not in done]
        assert not missing, f'no good word of: {missing}\n{broker.log_tail()}'
        assert code == 0, f'{name} ended with {code}'
        assert broker.alive(), 'the broker ended'


if __name__ == '__main__':
    main()
