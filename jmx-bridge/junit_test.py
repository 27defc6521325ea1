#!/usr/bin/env python3
"""Runs JUnit classes against a broker of their own, which they may kill and start again.

    junit_test.py CLASSPATH CLASS...

The tests get $PABAL_TEST_PORT, and $PABAL_TEST_CONTROL: a port that takes the lines `kill` (kill -9) and
`start` (the same data and port) and answers each with `ok` when it is done.
"""

import os
import random
import select
import socket
import subprocess
import sys

from broker import Broker


def steady_port():
    """A free port below those that connections get: nobody else takes it while the broker is down."""
    for _ in range(100):
        port = random.randint(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue
    raise RuntimeError('no free port')


def obey(peer, broker):
    """The commands of one connection. Here, in the main thread, to which the broker's life is tied."""
    with peer, peer.makefile('rw') as lines:
        for line in lines:
            {'kill': broker.kill, 'start': broker.start}[line.strip()]()
            lines.write('ok\n')
            lines.flush()


def main():
    classpath, classes = sys.argv[1], sys.argv[2:]
    with Broker(options={'stomp.port': steady_port()}) as broker, \
            socket.create_server(('127.0.0.1', 0)) as control:
        environment = {**os.environ, 'PABAL_TEST_PORT': str(broker.ports['stomp']),
                       'PABAL_TEST_CONTROL': str(control.getsockname()[1])}
        java = subprocess.Popen(
            ['java', '-XX:+UseSerialGC', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-ea',
             '-cp', classpath, 'org.junit.runner.JUnitCore', *classes], env=environment)
        try:
            while java.poll() is None:
                if select.select([control], [], [], 0.1)[0]:
                    obey(control.accept()[0], broker)
            assert java.returncode == 0, f'JUnit ended with {java.returncode}'
        finally:
            if java.poll() is None:
                java.kill()
                java.wait()


if __name__ == '__main__':
    main()
