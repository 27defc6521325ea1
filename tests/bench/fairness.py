#!/usr/bin/env python3
"""Ten healthy pairs of producer and consumer, alone, and then beside a dead consumer that holds 1,000
messages and a producer that never stops: how much later do the pairs' messages arrive, once that
producer is held at its limit?

    PABAL=build/release/pabal tests/bench/fairness.py [--seconds 10] [--rate 200] [--rounds 3]

Each round measures the pairs alone and then beside the two; the line at the end is the median of the
rounds. All pairs run in one process with one clock; the other two in processes of their own. Run it on
a machine that does nothing else.
"""

import argparse
import json
import multiprocessing
import os
import select
import socket
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))

from broker import SOURCE_DIR, Broker, wait_for  # noqa: E402
from stomp_client import Client, Closed, encode  # noqa: E402

PAIRS = 10
WARM_UP_SECONDS = 2
DEAD_PREFETCH = 1000
LIMIT = '16mb'


class Pair:
    """A producer and a consumer of one queue; the body is the time of sending."""

    def __init__(self, port, number, persistent):
        self.consumer = Client(port)
        self.consumer.request('SUBSCRIBE', {'id': '1', 'destination': f'/queue/pair.{number}',
                                            'ack': 'auto'})
        self.producer = Client(port)
        self.headers = {'destination': f'/queue/pair.{number}', 'persistent': persistent}
        self.sent = 0
        self.received = 0

    def send(self):
        self.producer.socket.sendall(encode('SEND', self.headers, b'%d' % time.monotonic_ns()))
        self.sent += 1

    def receive(self, latencies):
        self.consumer.read_more(0)
        while (frame := self.consumer.buffered()) is not None:
            self.received += 1
            latencies.append(time.monotonic_ns() - int(frame.body))


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] / 1e6


def run_pairs(port, seconds, rate, persistent):
    """Latencies in ns of all pairs at `rate` messages per second each, without the warm-up."""
    pairs = [Pair(port, number, persistent) for number in range(PAIRS)]
    sockets = {pair.consumer.socket: pair for pair in pairs}
    latencies = []
    begin = time.monotonic()
    end = begin + WARM_UP_SECONDS + seconds
    interval = 1 / (rate * PAIRS)  # one pair after the other
    turn = 0
    measured_from = None
    while True:
        now = time.monotonic()
        if now >= end and all(pair.received == pair.sent for pair in pairs):
            break
        if now > end + 30:
            raise AssertionError('messages are missing')
        if measured_from is None and now >= begin + WARM_UP_SECONDS:
            measured_from = len(latencies)
        due = begin + turn * interval
        if now >= due and now < end:
            pairs[turn % PAIRS].send()
            turn += 1
            continue
        for ready in select.select(list(sockets), [], [], max(0, min(due, end) - now))[0]:
            sockets[ready].receive(latencies)
    for pair in pairs:
        pair.consumer.close()
        pair.producer.close()
    return latencies[measured_from:], turn / (end - begin)


def never_stops(port):
    client = Client(port)
    client.socket.settimeout(None)
    frames = encode('SEND', {'destination': '/queue/dead', 'persistent': 'true'}, b'x' * 1000) * 64
    while True:
        try:
            client.socket.sendall(frames)
        except OSError:
            return


def dead_consumer(port):
    client = Client(port)
    client.request('SUBSCRIBE', {'id': '1', 'destination': '/queue/dead', 'ack': 'client',
                                 'activemq.prefetchSize': DEAD_PREFETCH})
    got = 0
    while got < DEAD_PREFETCH:
        got += client.receive().command == 'MESSAGE'
    time.sleep(3600)


def one_round(config, arguments):
    with Broker(config=config) as broker:
        port = broker.ports['stomp']
        alone, rate = run_pairs(port, arguments.seconds, arguments.rate, arguments.persistent)
        others = [multiprocessing.Process(target=target, args=(port,), daemon=True)
                  for target in (dead_consumer, never_stops)]
        for other in others:
            other.start()
        try:
            def held():
                status = json.loads(broker.get('/api/status')[1])
                dead = [each for each in status['destinations']
                        if each['destination'] == 'queue://dead']
                return dead and dead[0]['inFlight'] == DEAD_PREFETCH and status['blockedProducers']
            blocked = wait_for(held, 'the producer to be held at its limit')
            beside, rate_beside = run_pairs(port, arguments.seconds, arguments.rate,
                                            arguments.persistent)
        finally:
            for other in others:
                other.kill()
                other.join()
    row = {'alone_p50_ms': percentile(alone, 0.5), 'alone_p99_ms': percentile(alone, 0.99),
           'beside_p50_ms': percentile(beside, 0.5), 'beside_p99_ms': percentile(beside, 0.99),
           'rate_alone': rate, 'rate_beside': rate_beside}
    row['p99_ratio'] = row['beside_p99_ms'] / row['alone_p99_ms']
    print(json.dumps({name: round(value, 3) for name, value in row.items()}),
          blocked[0]['reason'], flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--seconds', type=float, default=10)
    parser.add_argument('--rate', type=int, default=200, help='messages per second of each pair')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--persistent', default='true', choices=('true', 'false'))
    arguments = parser.parse_args()
    with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as file:
        text = file.read().replace('</broker>', f'''<destinationPolicy><policyMap><policyEntries>
            <policyEntry queue="dead" pabalStoreLimit="{LIMIT}"/>
            </policyEntries></policyMap></destinationPolicy></broker>''')
    with Broker(start=False) as folder:
        config = os.path.join(folder._own_directory, 'fairness.xml')
        with open(config, 'w', encoding='utf-8') as file:
            file.write(text)
        rows = [one_round(config, arguments) for _ in range(arguments.rounds)]
    for name in rows[0]:
        print(f'{name:>16} {statistics.median(row[name] for row in rows):9.3f}')


if __name__ == '__main__':
    try:
        main()
    except Closed:
        sys.exit('the broker closed a connection')
