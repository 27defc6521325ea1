"""The brokers of the comparison (those of MQTT are in compare_mqtt.py), each run by hand as a child process: loopback only, free
ports, data in a directory of its own, stopped by process id."""

import os
import shutil
import signal
import socket
import subprocess
import time

PAGE = os.sysconf('SC_PAGESIZE')


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def family(root):
    """The process `root` and its descendants, parents first."""
    children = {}
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        try:
            with open(f'/proc/{name}/stat') as stat:
                parent = int(stat.read().rsplit(')', 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(name))
    found, todo = [], [root]
    while todo:
        found.append(todo.pop(0))
        todo += children.get(found[-1], [])
    return found


def resident_bytes(root):
    total = 0
    for process in family(root):
        try:
            with open(f'/proc/{process}/statm') as statm:
                total += int(statm.read().split()[1]) * PAGE
        except OSError:
            pass
    return total


class Broker:
    """start() and stop() may be called in turn; the data stay until remove()."""

    name = ''
    ready_timeout = 120
    welcome = b'CONNECTED'  # how the answer to hello() begins

    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()
        self.process = None
        self.log = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def bench_options(self):
        return ['--url', f'stomp://127.0.0.1:{self.port}']

    def hello(self):
        return b'CONNECT\naccept-version:1.2\nhost:127.0.0.1\n\n\0'

    def prepare(self):
        os.makedirs(self.directory, exist_ok=True)

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Starts it and answers the seconds until a client was welcomed."""
        self.prepare()
        self.log = open(os.path.join(self.directory, 'output.log'), 'ab')
        started = time.monotonic()
        self.process = subprocess.Popen(self.command(), env=self.environment(), cwd=self.directory,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        while not self.answers():
            if self.process.poll() is not None:
                raise RuntimeError(f'{self.name} ended at its start; see {self.log.name}')
            if time.monotonic() - started > self.ready_timeout:
                self.kill()
                raise RuntimeError(f'{self.name} did not get ready; see {self.log.name}')
            time.sleep(0.001)
        return time.monotonic() - started

    def answers(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=1) as connection:
                connection.sendall(self.hello())
                return connection.recv(len(self.welcome)) == self.welcome
        except OSError:
            return False

    def stop(self, patience=60):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
        self.after_stop()

    def kill(self):
        """kill -9, of children first, so that none is left to tidy up."""
        if self.process is None:
            return
        for process in reversed(family(self.process.pid)):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.after_stop()

    def after_stop(self):
        self.process = None
        self.log.close()

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Pabal(Broker):
    name = 'Pabal'

    def __init__(self, directory, program):
        super().__init__(directory)
        self.program = program
        self.http_port = free_port()

    def command(self):
        return [self.program, 'serve', '-d', os.path.join(self.directory, 'data'),
                '-D', f'stomp.port={self.port}', '-D', 'openwire.port=off', '-D', 'mqtt.port=off',
                '-D', 'ws.port=off', '-D', f'http.port={self.http_port}']

    def version(self):
        return subprocess.run([self.program, '--version'], capture_output=True,
                              text=True).stdout.strip()


class ActiveMQ(Broker):
    """Debian's package: its stock instance with a STOMP connector added, and its JVM options."""

    name = 'ActiveMQ'
    stock = '/etc/activemq/instances-available/main'
    # /usr/share/activemq/activemq-options of the package.
    options = ['-Xms512M', '-Xmx512M', '-Dorg.apache.activemq.UseDedicatedTaskRunner=true']
    # What /usr/bin/activemq passes to a JVM newer than 8.
    opens = ['--add-reads=java.xml=java.logging'] + [
        word for package in ('java.base/java.security', 'java.base/java.net', 'java.base/java.lang',
                             'java.base/java.util', 'java.naming/javax.naming.spi',
                             'java.rmi/sun.rmi.transport.tcp', 'java.base/java.util.concurrent',
                             'java.base/java.util.concurrent.atomic')
        for word in ('--add-opens', f'{package}=ALL-UNNAMED')]

    def prepare(self):
        super().prepare()
        with open(f'{self.stock}/activemq.xml') as stock:
            text = stock.read()
        text = text.replace('tcp://127.0.0.1:61616', 'tcp://127.0.0.1:0')
        text = text.replace('</transportConnectors>',
                            '<transportConnector name="stomp" '
                            f'uri="stomp://127.0.0.1:{self.port}"/></transportConnectors>')
        conf = os.path.join(self.directory, 'conf')
        os.makedirs(conf, exist_ok=True)
        os.makedirs(os.path.join(self.directory, 'data'), exist_ok=True)
        with open(f'{conf}/activemq.xml', 'w') as file:
            file.write(text)
        for name in os.listdir(self.stock):
            if name.startswith('log'):
                shutil.copy(f'{self.stock}/{name}', conf)

    def command(self):
        base = self.directory
        return ['java', *self.options, *self.opens, '-Dactivemq.classpath=' + f'{base}/conf',
                '-Dactivemq.home=/usr/share/activemq', f'-Dactivemq.base={base}',
                f'-Dactivemq.conf={base}/conf', f'-Dactivemq.data={base}/data',
                '-jar', '/usr/share/activemq/bin/activemq.jar', 'start',
                f'xbean:file:{base}/conf/activemq.xml']

    def version(self):
        return 'ActiveMQ ' + package_version('activemq')


class RabbitMQ(Broker):
    """Debian's package with the rabbitmq_stomp plugin and nothing else."""

    name = 'RabbitMQ'

    def __init__(self, directory):
        super().__init__(directory)
        self.amqp_port = free_port()
        self.dist_port = free_port()
        self.epmd_port = free_port()

    def prepare(self):
        super().prepare()
        with open(f'{self.directory}/rabbitmq.conf', 'w') as file:
            file.write(f'listeners.tcp.1 = 127.0.0.1:{self.amqp_port}\n'
                       f'stomp.listeners.tcp.1 = 127.0.0.1:{self.port}\n')
        with open(f'{self.directory}/enabled_plugins', 'w') as file:
            file.write('[rabbitmq_stomp].\n')

    def environment(self):
        base = self.directory
        return dict(os.environ, HOME=base, RABBITMQ_NODENAME='pabal-compare@localhost',
                    RABBITMQ_MNESIA_BASE=f'{base}/mnesia', RABBITMQ_LOG_BASE=f'{base}/log',
                    RABBITMQ_CONFIG_FILE=f'{base}/rabbitmq.conf',
                    RABBITMQ_ENABLED_PLUGINS_FILE=f'{base}/enabled_plugins',
                    RABBITMQ_CONF_ENV_FILE=f'{base}/none', RABBITMQ_DIST_PORT=str(self.dist_port),
                    RABBITMQ_NODE_IP_ADDRESS='127.0.0.1', RABBITMQ_NODE_PORT=str(self.amqp_port),
                    ERL_EPMD_PORT=str(self.epmd_port), ERL_EPMD_ADDRESS='127.0.0.1')

    def command(self):
        folder = '/usr/lib/rabbitmq/lib'
        versions = [name for name in os.listdir(folder) if name.startswith('rabbitmq_server-')]
        return [f'{folder}/{sorted(versions)[-1]}/sbin/rabbitmq-server']

    def hello(self):
        return (b'CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0')

    def bench_options(self):
        return ['--url', f'stomp://127.0.0.1:{self.port}', '--virtual-host', '/',
                '--login', 'guest', '--passcode', 'guest']

    def after_stop(self):
        super().after_stop()
        # The port mapper daemon that the Erlang machine started for itself, on our own port.
        subprocess.run(['epmd', '-port', str(self.epmd_port), '-kill'], env=self.environment(),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def version(self):
        return 'RabbitMQ ' + package_version('rabbitmq-server')


def package_version(package):
    answer = subprocess.run(['dpkg-query', '--show', '--showformat', '${Version}', package],
                            capture_output=True, text=True)
    return answer.stdout.strip() or 'unknown'
