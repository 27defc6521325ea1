# The Ruby stomp gem (Debian's ruby-stomp) against the broker at $STOMP_PORT; see foreign_client_test.py.

require 'stomp'
require 'timeout'

PORT = Integer(ENV.fetch('STOMP_PORT'))
WAIT_SECONDS = 60
TEXT = 'payroll für 김철수 ☂ 🐎'

# Without this the library prints a warning when the broker answers DISCONNECT by closing.
Test = Module.new

def scenario(name)
  Timeout.timeout(WAIT_SECONDS) { yield name.tr(' ', '-') }
  puts "ok #{name}"
end

def check(what, actual, expected)
  return if actual == expected

  abort "#{what}: #{actual.inspect} instead of #{expected.inspect}"
end

def connect(version = '1.2', **headers)
  connection = Stomp::Connection.new(
    hosts: [{ host: '127.0.0.1', port: PORT }], reliable: false,
    connect_headers: { 'accept-version' => version, 'host' => 'localhost' }.merge(headers)
  )
  check('version', connection.connection_frame.headers.fetch('version', '1.0'), version)
  connection
end

def settled(connection, command, *arguments, **headers)
  connection.public_send(command, *arguments, { 'receipt' => 'r' }.merge(headers))
  frame = connection.receive
  check("receipt of #{command}", [frame.command, frame.headers['receipt-id']], %w[RECEIPT r])
end

def send_persistent(connection, queue, *bodies, **headers)
  bodies.each { |body| settled(connection, :publish, queue, body, 'persistent' => 'true', **headers) }
end

def subscribe(connection, destination, mode, **headers)
  settled(connection, :subscribe, destination, 'id' => 's', 'ack' => mode, **headers)
end

def message(connection)
  frame = connection.receive
  check("frame #{frame.inspect}", frame&.command, 'MESSAGE')
  frame
end

def messages(connection, count)
  Array.new(count) { message(connection) }
end

# ACK or NACK as the version wants it, with a receipt.
def settle(connection, command, frame, **headers)
  if connection.protocol == Stomp::SPL_12
    settled(connection, command, frame.headers['ack'], **headers)
  else
    settled(connection, command, frame.headers['message-id'], 'subscription' => 's', **headers)
  end
end

# Goes without a word. (The gem has no call for it.)
def drop(connection)
  connection.instance_variable_get(:@socket).close
end

%w[1.0 1.1 1.2].each do |version|
  scenario 'text and headers arrive as sent' do |name|
    queue = "/queue/ruby.#{name}"
    sender = connect(version)
    send_persistent(sender, queue, TEXT, 'priority' => '7', 'correlation-id' => 'c-1',
                                         'employee' => TEXT)
    receiver = connect(version)
    subscribe(receiver, queue, 'auto')
    frame = message(receiver)
    check('body', frame.body.dup.force_encoding('UTF-8'), TEXT)
    check('employee', frame.headers['employee'].dup.force_encoding('UTF-8'), TEXT)
    check('correlation', frame.headers['correlation-id'], 'c-1')
    check('persistent', frame.headers['persistent'], 'true')
    check('priority', frame.headers['priority'], '7')
    [sender, receiver].each { |connection| connection.disconnect('receipt' => 'bye') }
  end

  scenario 'every byte value arrives' do |name|
    queue = "/queue/ruby.#{name}"
    body = (0..255).to_a.pack('C*') * 3
    connection = connect(version)
    subscribe(connection, queue, 'auto')
    connection.publish(queue, body)
    check('body', message(connection).body.b, body)
    connection.disconnect
  end

  scenario 'client acknowledgement covers what came before' do |name|
    queue = "/queue/ruby.#{name}.#{version}"
    connection = connect(version)
    send_persistent(connection, queue, 'one', 'two', 'three')
    subscribe(connection, queue, 'client')
    settle(connection, :ack, messages(connection, 3)[1])
    drop(connection)
    connection = connect(version)
    subscribe(connection, queue, 'auto')
    frame = message(connection)
    check('left', [frame.body, frame.headers['redelivered']], %w[three true])
    connection.disconnect('receipt' => 'bye')
  end

  scenario 'individual acknowledgement covers one' do |name|
    queue = "/queue/ruby.#{name}.#{version}"
    connection = connect(version)
    send_persistent(connection, queue, 'one', 'two', 'three')
    subscribe(connection, queue, 'client-individual')
    settle(connection, :ack, messages(connection, 3)[1])
    drop(connection)
    connection = connect(version)
    subscribe(connection, queue, 'auto')
    check('left', messages(connection, 2).map(&:body), %w[one three])
    connection.disconnect('receipt' => 'bye')
  end

  scenario 'a transaction is seen when it commits' do |name|
    queue = "/queue/ruby.#{name}.#{version}"
    sender = connect(version)
    sender.begin('no')
    send_persistent(sender, queue, 'never', 'transaction' => 'no')
    sender.abort('no')
    sender.begin('yes')
    send_persistent(sender, queue, 'one', 'two', 'transaction' => 'yes')
    send_persistent(sender, queue, 'outside')
    receiver = connect(version)
    subscribe(receiver, queue, 'auto')
    check('before', message(receiver).body, 'outside')
    settled(sender, :commit, 'yes')
    check('after', messages(receiver, 2).map(&:body), %w[one two])
    [sender, receiver].each { |connection| connection.disconnect('receipt' => 'bye') }
  end

  scenario 'an aborted acknowledgement did not happen' do |name|
    queue = "/queue/ruby.#{name}.#{version}"
    connection = connect(version)
    send_persistent(connection, queue, 'one')
    subscribe(connection, queue, 'client-individual')
    connection.begin('t')
    settle(connection, :ack, message(connection), 'transaction' => 't')
    settled(connection, :abort, 't')
    drop(connection)
    connection = connect(version)
    subscribe(connection, queue, 'auto')
    check('again', message(connection).body, 'one')
    connection.disconnect('receipt' => 'bye')
  end

  scenario 'a durable subscription keeps what came meanwhile' do |name|
    topic = "/topic/ruby.#{name}.#{version}"
    durable = { 'activemq.subscriptionName' => 'ledger' }
    client = { 'client-id' => "ruby-#{version}" }
    first = connect(version, **client)
    subscribe(first, topic, 'client-individual', **durable)
    first.disconnect('receipt' => 'bye')
    sender = connect(version)
    send_persistent(sender, topic, 'absent')
    second = connect(version, **client)
    subscribe(second, topic, 'client-individual', **durable)
    frame = message(second)
    check('kept', frame.body, 'absent')
    settle(second, :ack, frame)
    [sender, second].each { |connection| connection.disconnect('receipt' => 'bye') }
  end

  next if version == '1.0'

  scenario 'what is refused goes to the dead letter queue' do |name|
    queue = "/queue/ruby.#{name}.#{version}"
    connection = connect(version)
    send_persistent(connection, queue, 'poison')
    subscribe(connection, queue, 'client-individual')
    settle(connection, :nack, message(connection))
    undertaker = connect(version)
    subscribe(undertaker, '/queue/ActiveMQ.DLQ', 'auto')
    frame = message(undertaker)
    check('dead', [frame.body, frame.headers['original-destination']], ['poison', queue])
    [connection, undertaker].each { |one| one.disconnect('receipt' => 'bye') }
  end

  scenario 'heart-beats come as asked for' do |name|
    connection = connect(version, 'heart-beat' => '500,500')
    subscribe(connection, "/queue/ruby.#{name}.#{version}", 'auto')
    # The gem's own threads send, read and count them while nobody is in receive().
    sleep 0.02 until connection.hbrecv_count >= 3 && connection.hbsend_count >= 3
    connect(version).publish("/queue/ruby.#{name}.#{version}", 'end')
    check('still connected', message(connection).body, 'end')
    connection.disconnect('receipt' => 'bye')
  end
end
