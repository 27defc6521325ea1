#!/usr/bin/env python3
"""Redelivery, dead letters and duplicates through the running program, with stomp.py."""

import os
import sys
import tempfile
import time
import unittest

from broker import Broker, wait_for
from stomp_py_test import Peer

CONFIG = '''<broker xmlns="http://activemq.apache.org/schema/core" brokerName="localhost">
  <transportConnectors>
    <transportConnector name="stomp" uri="stomp://127.0.0.1:${stomp.port:61613}"/>
  </transportConnectors>
  <pabalHttp uri="http://127.0.0.1:${http.port:8161}"/>
  <destinationPolicy><policyMap><policyEntries>
    <policyEntry queue="own.>"><deadLetterStrategy>
      <individualDeadLetterStrategy queuePrefix="DLQ." queueSuffix=".dead"/>
    </deadLetterStrategy></policyEntry>
    <policyEntry queue="gone.>"><deadLetterStrategy><discarding/></deadLetterStrategy></policyEntry>
    <policyEntry queue="twice.>" enableAudit="false"/>
  </policyEntries></policyMap></destinationPolicy>
  <plugins><redeliveryPlugin><redeliveryPolicyMap><redeliveryPolicyMap><redeliveryPolicyEntries>
    <redeliveryPolicy queue="soon.>" maximumRedeliveries="3" initialRedeliveryDelay="200"
                      redeliveryDelay="200" useExponentialBackOff="true" backOffMultiplier="2"/>
    <redeliveryPolicy queue="late.>" maximumRedeliveries="2" initialRedeliveryDelay="3600000"/>
    <redeliveryPolicy queue="own.>" maximumRedeliveries="1" initialRedeliveryDelay="10"/>
    <redeliveryPolicy queue="many.>" maximumRedeliveries="1" initialRedeliveryDelay="10"/>
  </redeliveryPolicyEntries></redeliveryPolicyMap></redeliveryPolicyMap></redeliveryPlugin></plugins>
</broker>
'''


class RetryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix='pabal-test-')
        cls.addClassCleanup(directory.cleanup)
        cls.config = os.path.join(directory.name, 'pabal.xml')
        with open(cls.config, 'w', encoding='utf-8') as file:
            file.write(CONFIG)
        cls.broker = Broker(config=cls.config)
        cls.addClassCleanup(cls.broker.close)

    def peer(self, **options):
        peer = Peer(self.broker.ports['stomp'], '1.2', **options)
        self.addCleanup(peer.close)
        return peer

    def restart(self):
        self.broker.kill()
        self.broker.start()

    def empty(self, queue):
        """Nothing waits in it: a mark sent behind all that does comes first. (Whoever else consumes
        there has a lower priority.)"""
        peer = self.peer()
        peer.subscribe(queue, **{'activemq.priority': '127'})
        peer.send(queue, 'mark', persistent='true')
        return peer.message().body == 'mark'

    # --- redelivery ------------------------------------------------------------------------------

    def test_a_refused_message_comes_again_backing_off_and_dies_in_the_end(self):
        peer = self.peer()
        peer.subscribe('/queue/soon.a', ack='client-individual')
        peer.send('/queue/soon.a', 'bad', persistent='true', colour='red')
        frame = peer.message()
        self.assertNotIn('redelivered', frame.headers)
        for delay in (0.2, 0.4, 0.8):
            since = time.monotonic()
            peer.nack(frame, cause='wrong colour')
            frame = peer.message()
            # No earlier; how much later is the machine's affair. (The two clocks may differ by 1 ms.)
            self.assertGreater(time.monotonic() - since, delay - 0.002)
            self.assertEqual((frame.body, frame.headers['redelivered']), ('bad', 'true'))
        before = int(time.time() * 1000) - 2
        peer.nack(frame, cause='wrong colour')
        peer.synchronize()

        heir = self.peer()
        heir.subscribe('/queue/ActiveMQ.DLQ')
        dead = heir.message().headers
        self.assertEqual(dead['original-destination'], '/queue/soon.a')
        self.assertEqual(dead['dlqDeliveryFailureCause'], 'wrong colour')
        self.assertEqual(dead['dlqDeliveryCount'], '4')
        self.assertEqual(dead['originalExpiration'], '0')
        self.assertEqual(dead['colour'], 'red')
        self.assertNotIn('redelivered', dead)
        self.assertTrue(before <= int(dead['dlqTime']) <= int(time.time() * 1000) + 2, dead)
        self.assertTrue(self.empty('/queue/soon.a'))

    def test_what_comes_later_flows_meanwhile(self):
        peer = self.peer()
        peer.subscribe('/queue/late.a', ack='client-individual')
        peer.send('/queue/late.a', '1', persistent='true')
        peer.nack(peer.message())
        for number in range(2, 20):
            peer.send('/queue/late.a', str(number), persistent='true')
            frame = peer.message()
            self.assertEqual(frame.body, str(number))
            peer.ack(frame)
        peer.synchronize()
        self.assertTrue(peer.inbox.messages.empty())

    def test_delays_do_not_outlive_the_process_but_counts_do(self):
        peer = self.peer()
        peer.subscribe('/queue/late.b', ack='client-individual')
        peer.send('/queue/late.b', 'bad', persistent='true')
        peer.nack(peer.message())
        peer.synchronize()
        for _ in range(2):
            self.restart()
            peer = self.peer()
            peer.subscribe('/queue/late.b', ack='client-individual')
            frame = peer.message()
            self.assertEqual((frame.body, frame.headers['redelivered']), ('bad', 'true'))
            peer.nack(frame)
            peer.synchronize()
        # Refused three times, of which two were allowed; and the kills counted for nothing.
        heir = self.peer()
        heir.subscribe('/queue/ActiveMQ.DLQ', selector="dlqDeliveryCount >= 3 AND "
                                                       "dlqDeliveryFailureCause LIKE 'rejected%'")
        self.assertEqual(heir.message().headers['original-destination'], '/queue/late.b')

    def test_lost_connections_alone_make_no_dead_letter(self):
        self.peer().send('/queue/own.lost', 'x', persistent='true')
        for _ in range(5):
            visitor = self.peer()
            visitor.subscribe('/queue/own.lost', ack='client-individual')
            self.assertEqual(visitor.message().body, 'x')
            visitor.drop()
        last = self.peer()
        last.subscribe('/queue/own.lost', ack='client-individual')
        last.nack(last.message())
        frame = last.message()
        self.assertEqual(frame.body, 'x')
        last.ack(frame)
        last.synchronize()

    def test_a_thousand_refused_at_once_all_come_again_in_their_order(self):
        peer = self.peer()
        count = 1000
        for number in range(count):
            peer.library.send('/queue/many.a', str(number), persistent='true')
        peer.synchronize()
        peer.subscribe('/queue/many.a', ack='client-individual')
        for _ in range(count):
            peer.nack(peer.message())
        again = []
        for _ in range(count):
            frame = peer.message()
            again.append(int(frame.body))
            peer.ack(frame)
        self.assertEqual(sorted(again), list(range(count)))
        peer.synchronize()

    # --- dead letters ----------------------------------------------------------------------------

    def test_a_queue_of_dead_letters_for_each(self):
        peer = self.peer()
        peer.subscribe('/queue/own.a', ack='client-individual')
        peer.send('/queue/own.a', 'bad', persistent='true')
        peer.nack(peer.message())
        peer.nack(peer.message())
        heir = self.peer()
        heir.subscribe('/queue/DLQ.own.a.dead', ack='client-individual')
        frame = heir.message()
        self.assertEqual(frame.headers['original-destination'], '/queue/own.a')
        # There it does not die again.
        heir.nack(frame)
        heir.synchronize()
        self.assertTrue(self.empty('/queue/DLQ.own.a.dead'))

    def test_discarded(self):
        peer = self.peer()
        peer.subscribe('/queue/gone.a', ack='client-individual')
        peer.send('/queue/gone.a', 'bad', persistent='true', gone='yes')
        peer.nack(peer.message())
        peer.synchronize()
        self.restart()
        self.assertTrue(self.empty('/queue/gone.a'))
        heir = self.peer()
        heir.subscribe('/queue/ActiveMQ.DLQ', selector="dlqDeliveryFailureCause IS NOT NULL AND gone = 'yes'")
        heir.synchronize()
        self.assertTrue(heir.inbox.messages.empty())

    # --- duplicates ------------------------------------------------------------------------------

    def identified(self, peer, queue, producer, number):
        peer.send(queue, f'{producer}{number}', persistent='true',
                  **{'producer-id': producer, 'producer-sequence': str(number)})

    def test_a_resend_after_kill_9_is_taken_once(self):
        queue = '/queue/once.a'
        for life in range(3):
            peer = self.peer()
            # Sends without waiting for answers, and is killed in the middle of it.
            for number in range(1, 300):
                peer.library.send(queue, str(number), persistent='true',
                                  **{'producer-id': 'p', 'producer-sequence': str(number)})
                if number == 100 * (life + 1):
                    break
            self.broker.kill()
            self.broker.start()
        # None of them was answered: all again.
        peer = self.peer()
        for number in range(1, 300):
            peer.send(queue, str(number), persistent='true',
                      **{'producer-id': 'p', 'producer-sequence': str(number)})
        receiver = self.peer()
        receiver.subscribe(queue)
        self.assertEqual([int(body) for body in receiver.bodies(299)], list(range(1, 300)))
        self.assertTrue(self.empty(queue))

    def test_a_duplicate_of_what_was_consumed_before_kill_9_is_none(self):
        queue = '/queue/once.b'
        peer = self.peer()
        self.identified(peer, queue, 'c', 1)
        peer.subscribe(queue, ack='client-individual')
        peer.ack(peer.message())
        peer.synchronize()
        self.restart()
        self.identified(self.peer(), queue, 'c', 1)
        self.assertTrue(self.empty(queue))

    def test_in_a_transaction_it_counts_when_that_commits(self):
        queue = '/queue/once.c'
        peer = self.peer()
        for end in (peer.library.abort, peer.library.commit, peer.library.commit):
            transaction = peer.library.begin()
            peer.library.send(queue, 't1', persistent='true', transaction=transaction,
                              **{'producer-id': 't', 'producer-sequence': '1'})
            end(transaction)
        peer.synchronize()
        receiver = self.peer()
        receiver.subscribe(queue)
        self.assertEqual(receiver.message().body, 't1')
        self.assertTrue(self.empty(queue))

    def test_a_policy_can_turn_it_off(self):
        peer = self.peer()
        for _ in range(2):
            self.identified(peer, '/queue/twice.a', 'o', 1)
        peer.subscribe('/queue/twice.a')
        self.assertEqual(peer.bodies(2), ['o1', 'o1'])

    def test_half_an_identity_is_refused(self):
        for headers in ({'producer-id': 'p'}, {'producer-sequence': '1'},
                        {'producer-id': 'p', 'producer-sequence': '0'},
                        {'producer-id': 'p', 'producer-sequence': 'one'},
                        {'producer-id': '', 'producer-sequence': '1'}):
            peer = self.peer()
            peer.library.send('/queue/once.d', 'x', **headers)
            error = wait_for(lambda inbox=peer.inbox: not inbox.errors.empty()
                             and inbox.errors.get(), 'an ERROR')
            self.assertIn('producer', error.headers['message'])
        self.assertTrue(self.empty('/queue/once.d'))


if __name__ == '__main__':
    sys.exit(unittest.main(verbosity=2))
