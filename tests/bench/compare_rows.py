"""The rows of the comparison: what each runs, and what Pabal has to reach in it."""

import time

import compare_brokers

SECONDS, SECONDS_QUICK = 10, 3
WARM_UP, WARM_UP_QUICK = 5, 2


class Target:
    """`activemq`, `rabbitmq`, `better`: how many times as many messages per second; `cpu`: how many
    times less CPU than the better of the peers."""

    def __init__(self, activemq=None, rabbitmq=None, better=None, cpu=8, text=''):
        self.activemq, self.rabbitmq, self.better, self.cpu = activemq, rabbitmq, better, cpu
        self.text = text


def mega(count):
    return count / (1024 * 1024)


class Throughput:
    """Messages per second and what they cost, after a warm-up with the same options."""

    kind = 'rate'
    repeat = 1

    def __init__(self, name, title, options, target, warm=True):
        self.name, self.title, self.options, self.target = name, title, options, target
        self.warm = warm

    def bench_options(self, seconds):
        return [*self.options, '--duration', str(seconds)]

    def commands(self, quick):
        seconds = SECONDS_QUICK if quick else SECONDS
        return {'command': 'pabal bench ' + ' '.join(self.bench_options(seconds))}

    def run(self, comparison, broker, quick):
        broker.start()
        if self.warm:
            comparison.bench(broker, self.bench_options(WARM_UP_QUICK if quick else WARM_UP))
        result = comparison.bench(broker, self.bench_options(SECONDS_QUICK if quick else SECONDS))
        return summary(result)


def summary(result):
    cpu = result['broker_process']['cpu_seconds_per_million']
    memory = mega(result['broker_process']['resident_bytes_peak'])
    rate = result['messages_per_second']
    text = f'{rate:9.0f}/s  {cpu:7.2f} CPU s/M  {memory:6.0f} MB'
    if not result['good']:
        text += '  NOT GOOD ' + verdict(result)
    return {'key': rate, 'rate': rate, 'cpu': cpu, 'memory': memory, 'good': result['good'],
            'verdict': verdict(result), 'own_cpu': result['generator_cpu_seconds_per_million'],
            'text': text}


def verdict(result):
    words = [f'{name} {result[name]}'
             for name in ('missing', 'unconfirmed', 'duplicates', 'reordered', 'damaged')
             if result[name]]
    return ', '.join(words + ([result['failure']] if 'failure' in result else []))


class Latency:
    """p99 from the moment at which a message should have been sent."""

    kind = 'latency'
    repeat = 5
    target = Target(cpu=1, text='p99 below RabbitMQ')

    def __init__(self, name, title, options):
        self.name, self.title, self.options = name, title, options

    def commands(self, quick):
        return {'command': 'pabal bench ' + ' '.join(self.options) + ' --duration '
                           + str(SECONDS_QUICK if quick else SECONDS)}

    def run(self, comparison, broker, quick):
        broker.start()
        # A virtual machine compiles what it ran often; at this rate that takes a while.
        comparison.bench(broker, ['--persistent', 'false', '--duration',
                                  str(WARM_UP_QUICK if quick else WARM_UP)])
        result = comparison.bench(broker, [*self.options, '--duration',
                                           str(SECONDS_QUICK if quick else SECONDS)])
        figures = summary(result)
        latency = result['latency_ms']
        figures.update(key=latency['p99'], p50=latency['p50'], p99=latency['p99'],
                       p999=latency['p99.9'], max=latency['max'])
        figures['text'] = (f'p50 {latency["p50"]:.3f}  p99 {latency["p99"]:.3f}  '
                           f'p99.9 {latency["p99.9"]:.3f} ms  {figures["cpu"]:.1f} CPU s/M')
        return figures


class FillAndDrain:
    """A million messages with nobody consuming, then somebody who takes them all."""

    kind = 'fill'
    repeat = 1
    target = Target(better=(4, 8), text='fill 4 × and drain 8 × the better, memory ≤ 128 MB')

    def __init__(self, name, title):
        self.name, self.title = name, title

    def count(self, quick):
        return 100_000 if quick else 1_000_000

    def commands(self, quick):
        count = self.count(quick)
        return {'command': f'pabal bench -c 0 -p 10 -n {count}; pabal bench -p 0 -n {count}'}

    def run(self, comparison, broker, quick):
        broker.start()
        count = str(self.count(quick))
        fill = comparison.bench(broker, ['-c', '0', '-p', '10', '-n', count])
        drain = comparison.bench(broker, ['-p', '0', '-n', count])
        first, second = summary(fill), summary(drain)
        return {'key': first['rate'], 'fill': first['rate'], 'drain': second['rate'],
                'fill_cpu': first['cpu'], 'drain_cpu': second['cpu'],
                'memory': max(first['memory'], second['memory']),
                'good': first['good'] and second['good'],
                'verdict': first['verdict'] + second['verdict'],
                'text': f'fill {first["text"]}; drain {second["text"]}'}


class Start:
    """Resident memory idle and the time from the start of the process to a CONNECTED."""

    kind = 'start'
    repeat = 3
    target = Target(text='≤ 20 MB, ≤ 50 ms')

    def __init__(self, name, title):
        self.name, self.title = name, title

    def commands(self, quick):
        return {'command': 'start, CONNECT until CONNECTED; resident memory 3 s later'}

    def run(self, comparison, broker, quick):
        # The first start makes files that every later one finds; it is the one that counts here.
        seconds = broker.start()
        time.sleep(3)
        memory = mega(compare_brokers.resident_bytes(broker.pid))
        return {'key': seconds, 'seconds': seconds, 'memory': memory,
                'text': f'{seconds * 1000:.0f} ms to ready, {memory:.0f} MB idle'}


class Recovery:
    """Start to ready with many messages stored, after kill -9; then all of them are drained."""

    kind = 'recovery'
    repeat = 1
    target = Target(text='≤ 0.3 s')

    def __init__(self, name, title):
        self.name, self.title = name, title

    def count(self, quick):
        return 30_000 if quick else 300_000

    def commands(self, quick):
        count = self.count(quick)
        return {'command': f'pabal bench -c 0 -p 10 -n {count}; kill -9; start; '
                           f'pabal bench -p 0 -n {count}'}

    def run(self, comparison, broker, quick):
        broker.start()
        count = str(self.count(quick))
        fill = comparison.bench(broker, ['-c', '0', '-p', '10', '-n', count])
        broker.kill()
        seconds = broker.start()
        drain = comparison.bench(broker, ['-p', '0', '-n', count, '--timeout', '20'], True)
        return {'key': seconds, 'seconds': seconds, 'missing': drain['missing'],
                'good': fill['good'] and drain['good'], 'verdict': verdict(drain),
                'text': f'{seconds * 1000:.0f} ms to ready'
                        + ('' if drain['good'] else '; then ' + verdict(drain))}


ROWS = [
    Throughput('auto-100', 'persistent, 1 → 1, auto ack, receipts with window 100',
               ['--window', '100'], Target(activemq=30, rabbitmq=3)),
    Throughput('individual-100', 'the same, client-individual acks',
               ['--window', '100', '--ack', 'individual'], Target(activemq=15, rabbitmq=3)),
    Throughput('ten-to-ten', 'persistent, 10 → 10, window 100',
               ['-p', '10', '-c', '10', '--window', '100'], Target(activemq=6, rabbitmq=4)),
    Throughput('auto-1', 'persistent, 1 → 1, window 1',
               ['--window', '1'], Target(activemq=3, rabbitmq=1, cpu=1)),
    Throughput('transactions', 'persistent, transactions of 100',
               ['--transaction', '100'], Target(activemq=5, rabbitmq=2.5)),
    Throughput('store-1', 'persistent, nobody consuming, window 1',
               ['-c', '0', '--window', '1'], Target(better=1.5, cpu=1)),
    Throughput('store-100', 'persistent, nobody consuming, window 100',
               ['-c', '0', '--window', '100'], Target(better=6)),
    Throughput('store-10x100', 'persistent, nobody consuming, 10 producers × 100',
               ['-c', '0', '-p', '10', '--window', '100'], Target(better=5)),
    Throughput('volatile', 'non-persistent, 1 → 1',
               ['--persistent', 'false', '--window', '0'], Target(better=8)),
    Throughput('topic', 'topic 1 → 10, non-persistent (deliveries)',
               ['--destination', '/topic/pabal.bench', '-c', '10', '--persistent', 'false',
                '--window', '0'], Target(activemq=5)),
    Throughput('selectors', '100 consumers of a queue whose selectors match 1 % each',
               ['-c', '100', '--buckets', '100', '--window', '100'], Target(activemq=10, cpu=1)),
    Latency('rate', 'non-persistent at 2,000/s: p99 latency',
            ['--persistent', 'false', '--rate', '2000']),
    FillAndDrain('fill-drain', 'fill 1 M × 1 KB with nobody consuming; drain it'),
    Start('start', 'resident memory idle; start to ready, empty'),
    Recovery('recovery', 'start to ready with 300 k stored after kill -9'),
]
