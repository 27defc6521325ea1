"""Writes RESULTS.md from the figures that were measured."""

import os
import platform
import re

PEERS = (('activemq', 'ActiveMQ'), ('rabbitmq', 'RabbitMQ'), ('pabal', 'Pabal'))
# Everything from this heading on is written by people and kept.
NOTES = '## Notes'


def figure(number):
    if number >= 1e6:
        return f'{number / 1e6:.2f} M'
    if number >= 10_000:
        return f'{number / 1e3:.0f} k'
    if number >= 1000:
        return f'{number / 1e3:.1f} k'
    return f'{number:.0f}'


def seconds(number):
    return f'{number * 1000:.0f} ms' if number < 1 else f'{number:.1f} s'


def cell(row, result):
    """What one broker reached in one row."""
    if result is None:
        return '–'
    if 'error' in result:
        return 'failed'
    text = {
        'rate': lambda: f'{figure(result["rate"])}/s; {result["cpu"]:.1f}; {result["memory"]:.0f} MB',
        'latency': lambda: f'{result["key"]:.2f} ms; {result["cpu"]:.0f}; {result["memory"]:.0f} MB',
        'fill': lambda: (f'{figure(result["fill"])}/s; {result["fill_cpu"]:.1f}, '
                         f'{figure(result["drain"])}/s; {result["drain_cpu"]:.1f}, '
                         f'{result["memory"]:.0f} MB'),
        'start': lambda: f'{result["memory"]:.0f} MB; {seconds(result["key"])}',
        'recovery': lambda: seconds(result['key']),
    }[row.kind]()
    if not result.get('good', True):
        text += f' ({result.get("verdict") or "not good"})'
    if result.get('quick'):
        text += ' *'
    return text


def known(figures, row, peer):
    result = figures.get(row.name, {}).get(peer)
    return result if result is not None and 'error' not in result else None


class Judge:
    """Compares Pabal's figures of one row with the peers' and collects what is said about it."""

    def __init__(self, figures, row):
        self.row = row
        self.pabal = known(figures, row, 'pabal')
        self.peers = {peer: known(figures, row, peer) for peer in ('activemq', 'rabbitmq')}
        self.words, self.fell_short = [], False

    def at_least(self, what, ratio, wanted):
        self.words.append(f'{ratio:.1f} × {what}' + ('' if wanted is None else f' (≥ {wanted:g})'))
        if wanted is not None and ratio < wanted:
            self.fell_short = True

    def at_most(self, what, value, limit, form):
        self.words.append(f'{what} {form(value)} (≤ {form(limit)})')
        if value > limit:
            self.fell_short = True

    def better(self, name, pick):
        values = [peer[name] for peer in self.peers.values() if peer]
        return pick(values) if values else None

    def rates(self):
        target = self.row.target
        for peer, name in PEERS[:2]:
            if self.peers[peer]:
                wanted = getattr(target, peer)
                self.at_least(name, self.pabal['rate'] / self.peers[peer]['rate'], wanted)
        best = self.better('rate', max)
        if best and target.better:
            self.at_least('the better', self.pabal['rate'] / best, target.better)
        self.cpu('cpu')

    def cpu(self, name):
        best = self.better(name, min)
        if best:
            wanted = self.row.target.cpu
            self.at_least('less CPU', best / max(self.pabal[name], 0.001), wanted)

    def latency(self):
        rabbit = self.peers['rabbitmq']
        if rabbit:
            self.at_most('p99', self.pabal['key'], rabbit['key'], lambda ms: f'{ms:.2f} ms')
        self.cpu('cpu')

    def fill(self):
        for name, wanted in zip(('fill', 'drain'), self.row.target.better):
            best = self.better(name, max)
            if best:
                self.at_least(f'the better {name}', self.pabal[name] / best, wanted)
        self.at_most('memory', self.pabal['memory'], 128, lambda mb: f'{mb:.0f} MB')
        self.cpu('fill_cpu')
        self.cpu('drain_cpu')

    def start(self):
        self.at_most('memory', self.pabal['memory'], 20, lambda mb: f'{mb:.0f} MB')
        self.at_most('ready', self.pabal['key'], 0.05, seconds)

    def recovery(self):
        self.at_most('ready', self.pabal['key'], 0.3, seconds)

    def text(self):
        if self.pabal is None:
            return '', ''
        {'rate': self.rates, 'latency': self.latency, 'fill': self.fill, 'start': self.start,
         'recovery': self.recovery}[self.row.kind]()
        bad = self.fell_short or not self.pabal.get('good', True)
        return ', '.join(self.words), 'short' if bad else 'met'


def machine():
    model, memory = 'unknown processor', 0
    with open('/proc/cpuinfo') as file:
        found = re.search(r'model name\s*: (.*)', file.read())
        if found:
            model = found.group(1)
    with open('/proc/meminfo') as file:
        memory = int(file.read().split()[1]) / (1024 * 1024)
    return f'{os.cpu_count()} × {model}, {memory:.0f} GB, Linux {platform.release()}'


def report(figures, rows, others, old):
    """`others`: modules with rows and a table of their own."""
    lines = [
        '# Side by side with ActiveMQ and RabbitMQ', '',
        'Written by `make compare` (`tests/bench/compare`), which starts the brokers in turn on one',
        'machine, each alone and with an empty store, drives them with `pabal bench`, and kills them.',
        'Generator and broker share the cores. Messages have 1 KB; every message is checked for loss,',
        'duplicates, order and content. ActiveMQ syncs before its receipt, RabbitMQ does not; both run',
        'as their Debian packages set them up, with the STOMP connector or plugin switched on.', '',
        f'Machine: {machine()}.',
        'Versions: ' + '; '.join(figures.get('versions', {}).get(peer, name)
                                 for peer, name in PEERS) + '.', '',
        'Cells: messages per second; CPU seconds of the broker per million messages sent; most',
        'resident memory. p99 is the median of five runs. `*`: a short run. The last columns say what',
        'is wanted, in brackets, and whether this run reached it.', '',
        '| scenario | ActiveMQ | RabbitMQ | Pabal | Pabal is (wanted) | |',
        '|---|---|---|---|---|---|']
    for row in rows:
        results = figures.get(row.name, {})
        ratios, verdict = Judge(figures, row).text()
        cells = [cell(row, results.get(peer)) for peer, _ in PEERS]
        lines.append(f'| {row.title} | ' + ' | '.join(cells) + f' | {ratios} | {verdict} |')
    for module in others:
        lines += module.table(figures)
    lines += ['', '## Commands, and how loaded the machine was', '',
              'The load is the one-minute average when the row began: above about 0.5 somebody else',
              'was using the machine, and the figures are worth that much less.', '',
              '| row | command | taken, load |', '|---|---|---|']
    more = [row for module in others for row in module.ROWS if row.name in figures]
    names = dict(peer for module in others for peer in module.PEERS) | dict(PEERS)
    for row in rows + more:
        results = figures.get(row.name, {})
        taken = ', '.join(f'{name} {results[peer]["when"]} at {results[peer]["load"]}'
                          for peer, name in names.items() if peer in results)
        command = next((result['command'] for result in results.values()), '')
        lines.append(f'| {row.name} | `{command}` | {taken} |')
    at = old.find(NOTES)
    notes = old[at:] if at >= 0 else f'{NOTES}\n\nNothing yet.\n'
    return '\n'.join(lines) + '\n\n' + notes
