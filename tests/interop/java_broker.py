"""The brokers that the Java suites are run against: Pabal, and the real ActiveMQ that says whether a
test is right. Both keep their ports through kill and start, because a Java client that reconnects
knows only its URL. Both answer `openwire_url`, `stomp_url`, kill(), start(), close()."""

import os
import random
import socket
import sys
import tempfile

from broker import SOURCE_DIR, Broker

sys.path.insert(0, os.path.join(SOURCE_DIR, 'tests', 'bench'))

import compare_brokers  # noqa: E402  (beside the comparison, which starts the same program)


# For AdvisedMessagesTest and ConsumersTest. What is narrower goes before what is wider, in both
# brokers.
_FLAGS = ('advisoryForConsumed="true" advisoryForDelivery="true" advisoryForSlowConsumers="true" '
          'sendAdvisoryIfNoConsumers="true"')
ADVISED = f"""
              <policyEntry queue="advised.>" {_FLAGS}/>
              <policyEntry topic="advised.>" {_FLAGS}/>
              <policyEntry queue="advised.full.>" memoryLimit="64kb" advisoryWhenFull="true"
                           advisoryForFastProducers="true"/>
              <policyEntry topic="advised.discarding.>" advisoryForDiscardingMessages="true">
                <pendingMessageLimitStrategy><constantPendingMessageLimitStrategy limit="1"/>
                </pendingMessageLimitStrategy>
              </policyEntry>
              <policyEntry queue="narrow.>" queuePrefetch="3"/>"""

# For AcknowledgeTest. ActiveMQ wants a second at least.
RETRIED = """
              <plugins><redeliveryPlugin><redeliveryPolicyMap><redeliveryPolicyMap>
                <redeliveryPolicyEntries>
                  <redeliveryPolicy queue="retried.>" maximumRedeliveries="2"
                                    initialRedeliveryDelay="1000" redeliveryDelay="1000"/>
                </redeliveryPolicyEntries>
              </redeliveryPolicyMap></redeliveryPolicyMap></redeliveryPlugin></plugins>"""


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


class Pabal(Broker):
    """The program under test."""

    name = 'pabal'

    def __init__(self, options=None):
        self.openwire_url = f'tcp://127.0.0.1:{steady_port()}'
        self._conf = tempfile.TemporaryDirectory(prefix='pabal-conf-')
        config = os.path.join(self._conf.name, 'pabal.xml')
        with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as file:
            text = file.read()
        example = '  <!-- For example:\n  <destinationPolicy>'
        assert text.count(example) == 1
        policies = (f'<destinationPolicy><policyMap><policyEntries>{ADVISED}'
                    '</policyEntries></policyMap></destinationPolicy>')
        with open(config, 'w', encoding='utf-8') as file:
            file.write(text.replace(example, policies + RETRIED + '\n' + example))
        super().__init__(config, options={'openwire.port': self.openwire_url.rpartition(':')[2],
                                          'stomp.port': steady_port(), **(options or {})})

    def close(self):
        super().close()
        self._conf.cleanup()

    @property
    def mqtt_port(self):
        return self.openwire_url.rpartition(':')[2]  # One port for all.


class ActiveMQ(compare_brokers.ActiveMQ):
    """Debian's ActiveMQ with what the tests need besides its defaults. Its heap is
    small: what is measured here is right or wrong, not speed."""

    name = 'activemq'
    options = ['-Xms64M', '-Xmx384M', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1',
               '-Dorg.apache.activemq.UseDedicatedTaskRunner=true']

    def __init__(self):
        self._own_directory = tempfile.TemporaryDirectory(prefix='pabal-activemq-')
        super().__init__(self._own_directory.name)
        self.port = steady_port()
        self.stomp_url = f'stomp://127.0.0.1:{self.port}'
        self.openwire_url = f'tcp://127.0.0.1:{steady_port()}'
        self.mqtt_port = str(steady_port())
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def prepare(self):
        super().prepare()
        path = os.path.join(self.directory, 'conf', 'activemq.xml')
        with open(path, encoding='utf-8') as file:
            text = file.read()
        text = text.replace('tcp://127.0.0.1:0', self.openwire_url)
        text = text.replace('</transportConnectors>',
                            f'<transportConnector name="mqtt" uri="mqtt://127.0.0.1:{self.mqtt_port}"/>'
                            '</transportConnectors>')
        text = text.replace('useJmx="false"', 'useJmx="false" schedulerSupport="true"')
        # With its page of 200 messages it sometimes hands out no more until it looks for expired ones,
        # half a minute later.
        text = text.replace('<persistenceAdapter>', f"""
            <destinationPolicy><policyMap><policyEntries>
              <policyEntry queue=">" maxPageSize="10000" maxBrowsePageSize="10000"
                           expireMessagesPeriod="1000"/>{ADVISED}
            </policyEntries></policyMap></destinationPolicy>
            <persistenceAdapter>""")
        text = text.replace('</persistenceAdapter>', '</persistenceAdapter>' + RETRIED)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)

    def command(self):
        # If the test itself is killed, the kernel kills the broker.
        return ['setpriv', '--pdeathsig', 'KILL', *super().command()]

    def close(self):
        self.kill()
        self._own_directory.cleanup()

    def log_tail(self):
        with open(os.path.join(self.directory, 'output.log'), encoding='utf-8',
                  errors='replace') as log:
            return log.read()[-4000:]

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            print(f'--- log of the broker ---\n{self.log_tail()}', flush=True)
        self.close()


class Running:
    """A broker that somebody else started: it can be used, not killed."""

    name = ''

    def __init__(self, url):
        self.openwire_url = self.stomp_url = url

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        pass


def broker_named(name):
    """`pabal`, `activemq`, or the URL of one that runs."""
    if name == 'pabal':
        return Pabal()
    if name == 'activemq':
        return ActiveMQ()
    return Running(name)
