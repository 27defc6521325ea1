#!/usr/bin/env python3
"""XA transactions with stomp.py against the running program: the extension of protocols/stomp
(headers xid and xa), over kill -9, and `pabal xa` beside it."""

import json
import queue
import sys
import unittest

import stomp

import broker as program
from broker import WAIT_SECONDS, Broker

KILL_ROUNDS = 8


class Inbox(stomp.ConnectionListener):
    def __init__(self):
        self.messages = queue.Queue()
        self.answers = queue.Queue()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.answers.put(frame)

    def on_error(self, frame):
        self.answers.put(frame)


class Peer:
    """One connection; every call waits for its RECEIPT or ERROR."""

    def __init__(self, port):
        self.inbox = Inbox()
        self.library = stomp.Connection12([('127.0.0.1', port)])
        self.library.set_listener('', self.inbox)
        self.library.connect(wait=True)
        self.receipts = 0

    def call(self, command, body='', **headers):
        """Answers the frame: RECEIPT or ERROR."""
        self.receipts += 1
        receipt = f'r{self.receipts}'
        named = {name.replace('_', '-'): value for name, value in headers.items()}
        self.library.send_frame(command, {**named, 'receipt': receipt}, body)
        frame = self.inbox.answers.get(timeout=WAIT_SECONDS)
        assert frame.headers['receipt-id'] == receipt, frame.headers
        return frame

    def done(self, command, body='', **headers):
        frame = self.call(command, body, **headers)
        assert frame.cmd == 'RECEIPT', frame.headers
        return frame

    def refused(self, command, **headers):
        frame = self.call(command, **headers)
        assert frame.cmd == 'ERROR', frame.headers
        return frame.headers['message']

    def send(self, destination, body, **headers):
        self.done('SEND', body, destination=destination, persistent='true', **headers)

    def subscribe(self, destination):
        self.done('SUBSCRIBE', destination=destination, id='s', ack='client-individual')

    def message(self):
        return self.inbox.messages.get(timeout=WAIT_SECONDS)

    def acknowledge(self, frame, **headers):
        self.done('ACK', id=frame.headers['ack'], **headers)

    def close(self):
        self.library.disconnect()

    def drop(self):
        self.library.transport.disconnect_socket()


class XaTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.close)

    def peer(self):
        return Peer(self.broker.ports['stomp'])

    def xa(self, *words):
        done = program.run('xa', *words, '--json', '--api',
                           f'http://127.0.0.1:{self.broker.ports["http"]}')
        return done.returncode, json.loads(done.stdout or done.stderr)

    def in_doubt(self):
        code, answer = self.xa('list')
        self.assertEqual(code, 0, answer)
        return {each['xid']: each['state'] for each in answer['branches']}

    def restart(self):
        self.broker.kill()
        self.broker.start()

    def waiting(self, destination, expected):
        """Consumes everything that waits; exactly `expected`, in any order."""
        peer = self.peer()
        peer.subscribe(destination)
        got = []
        for _ in expected:
            frame = peer.message()
            got.append(frame.body)
            peer.acknowledge(frame)
        # Whatever is delivered stands before the end of this message in its queue.
        peer.send(destination, 'the last')
        frame = peer.message()
        self.assertEqual(frame.body, 'the last')
        peer.acknowledge(frame)
        self.assertEqual(sorted(got), sorted(expected))
        peer.close()

    def prepare(self, xid, take=1, send=('sent',)):
        """A peer that took the first messages of /queue/in and sent to /queue/out, prepared."""
        peer = self.peer()
        peer.done('BEGIN', transaction='t', xid=xid)
        peer.subscribe('/queue/in')
        for _ in range(take):
            peer.acknowledge(peer.message(), transaction='t')
        for body in send:
            peer.send('/queue/out', body, transaction='t')
        frame = peer.done('COMMIT', transaction='t', xa='prepare')
        self.assertEqual(frame.headers['xa'], 'ok')
        return peer

    def fill(self, *bodies):
        peer = self.peer()
        for body in bodies:
            peer.send('/queue/in', body)
        peer.close()

    def explain(self, *words):
        done = program.run('explain', *words, '--json', '--api',
                           f'http://127.0.0.1:{self.broker.ports["http"]}')
        self.assertEqual(done.returncode, 0, done)
        return json.loads(done.stdout)

    def test_explain_names_the_branch_while_its_peer_lives_and_after_a_kill(self):
        self.fill('1', '2')
        self.waiting('/queue/out', ())  # it is there
        peer = self.peer()
        peer.done('BEGIN', transaction='t', xid='1:67:62')
        peer.subscribe('/queue/in')
        frame = peer.message()
        peer.acknowledge(frame, transaction='t')
        peer.send('/queue/out', 'sent', transaction='t')
        one = self.explain('in', frame.headers['message-id'])
        self.assertEqual((one['xid'], one['transactionState']), ('1:67:62', 'active'))
        peer.done('COMMIT', transaction='t', xa='prepare')
        for killed in (False, True):
            if killed:
                self.restart()
            one = self.explain('in', frame.headers['message-id'])
            self.assertEqual((one['xid'], one['transactionState']), ('1:67:62', 'prepared'))
            told = self.explain('in')
            self.assertEqual(told['inTransactions'], 1)
            self.assertIn('the prepared XA branch 1:67:62', ' '.join(told['reasons']))
            sent = self.explain('out')
            self.assertEqual((sent['depth'], sent['sentInTransactions']), (0, 1))
            self.assertIn("'pabal xa commit 1:67:62'", ' '.join(sent['reasons']))
        self.peer().done('COMMIT', xid='1:67:62')
        self.assertNotIn('transactions', self.explain('in'))
        self.waiting('/queue/out', ('sent',))

    def test_commit_after_a_kill(self):
        self.fill('1', '2', '3')
        self.prepare('1:67:62')
        for _ in range(3):
            self.restart()
            self.assertEqual(self.in_doubt(), {'1:67:62': 'prepared'})
        looking = self.peer()
        looking.subscribe('/queue/in')
        self.assertEqual([looking.message().body, looking.message().body], ['2', '3'])
        looking.drop()
        peer = self.peer()
        peer.done('COMMIT', xid='1:67:62')
        self.assertEqual(self.in_doubt(), {})
        self.restart()
        self.assertEqual(self.in_doubt(), {})
        self.waiting('/queue/in', ['2', '3'])
        self.waiting('/queue/out', ['sent'])

    def test_rollback_after_a_kill(self):
        self.fill('1', '2')
        self.prepare('1:67:62')
        self.restart()
        self.peer().done('ABORT', xid='1:67:62')
        self.restart()
        self.assertEqual(self.in_doubt(), {})
        peer = self.peer()
        peer.subscribe('/queue/in')
        frames = [peer.message(), peer.message()]
        self.assertEqual(sorted(frame.body for frame in frames), ['1', '2'])
        self.assertEqual({frame.body: frame.headers.get('redelivered') for frame in frames}['1'],
                         'true')
        peer.drop()
        self.waiting('/queue/in', ['1', '2'])
        self.waiting('/queue/out', [])

    def test_what_was_not_prepared_is_gone(self):
        self.fill('1')
        peer = self.peer()
        peer.done('BEGIN', transaction='t', xid='1:67:62')
        peer.subscribe('/queue/in')
        peer.acknowledge(peer.message(), transaction='t')
        peer.send('/queue/out', 'never', transaction='t')
        peer.done('COMMIT', transaction='t', xa='end')
        self.restart()
        self.assertEqual(self.in_doubt(), {})
        self.assertIn('XAER_NOTA', self.peer().refused('COMMIT', xid='1:67:62', xa='prepare'))
        self.waiting('/queue/in', ['1'])
        self.waiting('/queue/out', [])

    def test_whatever_the_kill_meets_recovery_finishes_it(self):
        """Prepares and commits go out without waiting, and the process dies somewhere among them:
        each branch has taken effect, or is in doubt as a whole, or never was."""
        committed = set()
        for number in range(KILL_ROUNDS):
            peer = self.peer()
            for branch in range(20):
                name = f'{number}.{branch}'
                xid = f'1:{name.encode().hex()}:62'
                frames = [('BEGIN', {'transaction': name, 'xid': xid}, ''),
                          ('SEND', {'destination': '/queue/out', 'transaction': name,
                                    'persistent': 'true'}, name),
                          ('COMMIT', {'transaction': name, 'xa': 'prepare',
                                      'receipt': f'prepared {name}'}, ''),
                          ('COMMIT', {'xid': xid, 'receipt': f'committed {name}'}, '')]
                for command, headers, body in frames:
                    peer.library.send_frame(command, headers, body)
            told = set()
            while len(told) < 2 + number * 4:
                told.add(peer.inbox.answers.get(timeout=WAIT_SECONDS).headers['receipt-id'])
            self.restart()
            while not peer.inbox.answers.empty():
                told.add(peer.inbox.answers.get().headers['receipt-id'])
            committed |= {each.split()[1] for each in told if each.startswith('committed')}
            prepared = {each.split()[1] for each in told if each.startswith('prepared')}
            doubt = {bytes.fromhex(xid.split(':')[1]).decode() for xid in self.in_doubt()}
            self.assertEqual(committed & doubt, set())
            manager = self.peer()
            for name in sorted(doubt):
                manager.done('COMMIT', xid=f'1:{name.encode().hex()}:62')
            # What was confirmed as prepared was either in doubt or had been committed.
            committed |= doubt | prepared
            manager.close()
        got = set()
        peer = self.peer()
        peer.subscribe('/queue/out')
        peer.send('/queue/out', 'the last')
        while 'the last' not in got:
            frame = peer.message()
            self.assertNotIn(frame.body, got)
            got.add(frame.body)
            peer.acknowledge(frame)
        self.assertLessEqual(committed, got)

    def test_an_operator_finishes_and_the_manager_is_told(self):
        self.fill('1', '2')
        # What the first has, and did not acknowledge, comes back for the second.
        self.prepare('1:61:', send=('a',)).drop()
        self.prepare('1:62:', send=('b',)).drop()
        self.restart()
        self.assertEqual(self.in_doubt(), {'1:61:': 'prepared', '1:62:': 'prepared'})
        self.assertEqual(self.xa('commit', 'xid:1:61:')[0], 0)  # as STOMP writes it
        self.assertEqual(self.xa('rollback', '1:62:')[0], 0)
        self.restart()
        self.assertEqual(self.in_doubt(), {'1:61:': 'heuristically committed',
                                           '1:62:': 'heuristically rolled back'})
        peer = self.peer()
        self.assertIn('XA_HEURCOM', peer.refused('COMMIT', xid='1:61:'))
        self.assertIn('XA_HEURRB', peer.refused('COMMIT', xid='1:62:'))
        self.assertNotEqual(self.xa('commit', '1:61:')[0], 0)
        peer.done('ABORT', xid='1:61:', xa='forget')
        self.assertEqual(self.xa('forget', '1:62:')[0], 0)
        self.assertEqual(self.in_doubt(), {})
        self.waiting('/queue/out', ['a'])

    def test_calls_out_of_place(self):
        peer = self.peer()
        self.assertIn('XAER_INVAL', peer.refused('BEGIN', transaction='t', xid='nonsense'))
        self.assertIn('XAER_INVAL', peer.refused('BEGIN', transaction='t', xid='1:67:', xa='end'))
        self.assertIn('XAER_NOTA', peer.refused('BEGIN', transaction='t', xid='1:67:', xa='join'))
        peer.done('BEGIN', transaction='t', xid='1:67:')
        self.assertIn('XAER_DUPID', self.peer().refused('BEGIN', transaction='u', xid='1:67:'))
        self.assertIn('XAER_PROTO', self.peer().refused('COMMIT', xid='1:67:', xa='prepare'))
        frame = peer.done('COMMIT', transaction='t', xa='prepare')
        self.assertEqual(frame.headers['xa'], 'read-only')
        self.assertIn('XAER_NOTA', peer.refused('ABORT', xid='1:67:'))
        # One phase, joined by another connection, suspended and resumed.
        peer.done('BEGIN', transaction='t', xid='1:67:')
        peer.send('/queue/out', '1', transaction='t')
        peer.done('COMMIT', transaction='t', xa='suspend')
        other = self.peer()
        other.done('BEGIN', transaction='t', xid='1:67:', xa='join')
        other.send('/queue/out', '2', transaction='t')
        other.done('COMMIT', transaction='t', xa='end')
        peer.done('BEGIN', transaction='t', xid='1:67:', xa='resume')
        peer.done('COMMIT', transaction='t')
        self.waiting('/queue/out', ['1', '2'])


if __name__ == '__main__':
    unittest.main(argv=sys.argv, verbosity=2)
