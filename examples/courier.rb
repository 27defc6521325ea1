#!/usr/bin/env ruby
# Sends to a queue, or receives from one, with the stomp gem (Debian: apt install ruby-stomp).
#
#   courier.rb [--port 61613] send QUEUE TEXT
#   courier.rb [--port 61613] receive QUEUE [COUNT]

require 'optparse'
require 'stomp'

port = 61613
OptionParser.new { |options| options.on('--port PORT', Integer) { |value| port = value } }.parse!
action, queue, argument = ARGV
abort "usage: #{$PROGRAM_NAME} [--port PORT] send|receive QUEUE [TEXT|COUNT]" unless queue

connection = Stomp::Connection.new(
  hosts: [{ host: '127.0.0.1', port: port }], reliable: false,
  connect_headers: { 'accept-version' => '1.2', 'host' => 'localhost' }
)
destination = "/queue/#{queue}"

# The next frame, which must not be an error.
def receive(connection)
  frame = connection.receive or abort 'the broker is gone'
  abort frame.headers['message'] if frame.command == 'ERROR'
  frame
end

case action
when 'send'
  # STOMP messages are non-persistent unless they say otherwise. The receipt comes when the message
  # is safe on the broker's disk: until then it may be lost.
  connection.publish(destination, argument, 'persistent' => 'true', 'receipt' => 'sent')
  receive(connection)
when 'receive'
  connection.subscribe(destination, 'id' => '1', 'ack' => 'client-individual')
  (argument || 1).to_i.times do
    message = receive(connection)
    puts message.body
    # What is not acknowledged comes again, to somebody.
    connection.ack(message.headers['ack'])
  end
else
  abort "neither send nor receive: #{action}"
end

# With a receipt, so that the acknowledgements above have reached the broker.
connection.disconnect('receipt' => 'bye')
