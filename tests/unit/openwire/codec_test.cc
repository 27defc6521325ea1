#include "protocols/openwire/codec.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/conformance/openwire/frame_file.h"

namespace pabal::openwire {
namespace {

using tests::from_hex;

template <class Struct>
std::string frame_of(const Struct& command, const WireFormat& format = {}) {
  std::string out;
  append_frame(out, command, format);
  return out;
}

Throwable throwable(std::string_view class_name, std::string_view message) {
  Throwable made;
  made.class_name = class_name;
  made.message = message;
  return made;
}

ConsumerId consumer_id() {
  return {"ID:c:1", 2, 3};
}

// The small frames of reference §7.10, written from values.

TEST(OpenWireCodec, WritesResponses) {
  Response response;
  response.correlation_id = 5;
  EXPECT_EQ(frame_of(response), from_hex("0000000a1e000000000000000005"));

  ExceptionResponse exception;
  exception.correlation_id = 5;
  exception.exception = throwable("javax.jms.InvalidDestinationException", "no");
  EXPECT_EQ(frame_of(exception),
            from_hex("000000381f000000000000000005010100256a617661782e6a6d732e496e76616c69644465"
                     "7374696e6174696f6e457863657074696f6e0100026e6f"));

  IntegerResponse integer;
  integer.correlation_id = 8;
  integer.result = 3;
  EXPECT_EQ(frame_of(integer), from_hex("0000000e2200000000000000000800000003"));

  DataArrayResponse array;
  array.correlation_id = 9;
  array.data.emplace();
  EXPECT_EQ(frame_of(array), from_hex("0000000d21000000000000000009010000"));
}

TEST(OpenWireCodec, WritesWhatABrokerSendsByItself) {
  KeepAliveInfo keep_alive;
  keep_alive.command_id = 7;
  keep_alive.response_required = true;
  EXPECT_EQ(frame_of(keep_alive), from_hex("000000060a0000000701"));
  EXPECT_EQ(frame_of(ShutdownInfo{}), from_hex("000000060b0000000000"));

  ProducerAck ack;
  ack.producer_id = ProducerId{"ID:c:1", 1, 1};
  ack.size = 1029;
  EXPECT_EQ(frame_of(ack), from_hex("00000025130000000000017b01000649443a633a310000000000000001"
                                    "000000000000000100000405"));

  ConsumerControl control;
  control.close = true;
  control.consumer_id = consumer_id();
  EXPECT_EQ(frame_of(control), from_hex("0000002a1100000000000001017a01000649443a633a31000000000000"
                                        "0002000000000000000300000000000000"));

  ConnectionControl connection_control;
  connection_control.connected_brokers = "";
  connection_control.reconnect_to = "";
  EXPECT_EQ(frame_of(connection_control),
            from_hex("0000001312000000000000000000000100000100000000"));

  ConnectionError error;
  error.exception = throwable("java.lang.SecurityException", "x");
  EXPECT_EQ(frame_of(error), from_hex("0000002a1000000000000101001b6a6176612e6c616e672e536563757269"
                                      "7479457863657074696f6e0100017800"));

  BrokerInfo broker;
  broker.broker_id = BrokerId{"b1"};
  broker.broker_name = "n";
  EXPECT_EQ(frame_of(broker), from_hex("00000022020000000000017c010002623100000100016e000000000000"
                                       "000000000000000000"));
}

TEST(OpenWireCodec, WritesTheEndMarkerOfABrowser) {
  MessageDispatch dispatch;
  dispatch.consumer_id = consumer_id();
  EXPECT_EQ(frame_of(dispatch), from_hex("00000027150000000000017a01000649443a633a31000000000000000"
                                         "20000000000000003000000000000"));
}

TEST(OpenWireCodec, WritesStackTracesIfTheyWereAgreed) {
  ExceptionResponse exception;
  exception.correlation_id = 5;
  exception.exception = throwable("java.lang.IllegalStateException", "boom");
  exception.exception->stack.push_back({"NullC", "main", "NullC.java", 28});
  EXPECT_EQ(frame_of(exception, {12, true}),
            from_hex("000000571f0000000000000000050101001f6a6176612e6c616e672e496c6c6567616c5374617"
                     "465457863657074696f6e010004626f6f6d00010100054e756c6c430100046d61696e01000a4e"
                     "756c6c432e6a6176610000001c00"));
}

TEST(OpenWireCodec, LeavesOutWhatAVersionDoesNotHave) {
  Message message;
  message.message_id = MessageId{"text", {"c", 1, 1}, 5, 6};
  message.first_for_consumer = true;
  const std::string in_12 = frame_of(message, {12, false});
  const std::string in_9 = frame_of(message, {9, false});
  EXPECT_EQ(in_12.size(), in_9.size() + 7 + 1);  // textView; jmsXGroupFirstForConsumer
  AnyCommand read;
  std::string error;
  ASSERT_TRUE(read_command(in_9.substr(4), {9, false}, read, error)) << error;
  const auto& back = std::get<Message>(read);
  EXPECT_FALSE(back.message_id->text_view);
  EXPECT_FALSE(back.first_for_consumer);
  EXPECT_EQ(back.message_id->broker_sequence_id, 6);
}

TEST(OpenWireCodec, ReadsWhatClientsSend) {
  AnyCommand command;
  std::string error;
  const std::string commit = from_hex("070000000000017801000163016f000000000000000201780100016302");
  ASSERT_TRUE(read_command(commit, {}, command, error)) << error;
  const auto& transaction = std::get<TransactionInfo>(command);
  EXPECT_EQ(transaction.type, static_cast<std::uint8_t>(TransactionVerb::commit_one_phase));
  EXPECT_EQ(std::get<LocalTransactionId>(*transaction.transaction_id).value, 2);

  const std::string one_pull = from_hex(
      "140000000000017a01000649443a633a3100000000000000020000000000000003016401000171ffffffffffffff"
      "ff0000");
  ASSERT_TRUE(read_command(one_pull, {}, command, error)) << error;
  const auto& pull = std::get<MessagePull>(command);
  EXPECT_EQ(pull.consumer_id.connection_id, "ID:c:1");
  EXPECT_EQ(pull.consumer_id.session_id, 2);
  EXPECT_EQ(pull.destination->physical_name, "q");
  EXPECT_EQ(pull.timeout, -1);

  ASSERT_TRUE(read_command(std::string_view("\0", 1), {}, command, error)) << error;
  EXPECT_TRUE(std::holds_alternative<NullCommand>(command));
}

TEST(OpenWireCodec, CutsTextsThatAreTooLongAtACharacter) {
  const std::string long_text = std::string(65'534, 'x') + "\xC3\xA9yz";  // é over the end
  ConnectionError error;
  error.exception = throwable("c", long_text);
  const std::string frame = frame_of(error);
  AnyCommand command;
  std::string text;
  ASSERT_TRUE(read_command(std::string_view(frame).substr(4), {}, command, text)) << text;
  EXPECT_EQ(std::get<ConnectionError>(command).exception->message,
            std::string_view(long_text).substr(0, 65'534));
}

struct BadFrame {
  const char* name;
  const char* hex;    ///< without the length
  const char* error;  ///< part of what is said
};

// Every length that can lie, nulls where there has to be a value, types that do not fit.
constexpr BadFrame kBadFrames[] = {
    {"nothing", "", "ends in the middle"},
    {"unknown type", "0d", "unknown type code"},
    {"unknown type above all", "ff", "unknown type code"},
    {"reserved type", "46", "unknown type code"},
    {"id as a command", "7b", "no command"},
    {"destination as a command", "64", "no command"},
    {"common fields cut", "0a000000", "ends in the middle"},
    {"a boolean of 2", "0a0000000102", "neither true nor false"},
    {"bytes behind", "0b000000000000", "bytes behind the last field"},
    {"string longer than the frame", "0e000000010001fffe61", "goes beyond the end"},
    {"string one byte longer",
     "0e00000001000100026100"
     "ff",
     "bytes behind the last field"},
    {"string length cut", "0e00000001000100", "ends in the middle"},
    {"byte array longer than the frame", "3c00000001017fffffff61", "goes beyond the end"},
    {"negative byte array", "3c0000000101ffffffff", "negative length"},
    {"most negative byte array", "3c000000010180000000", "negative length"},
    {"negative array",
     "210000000000000000070"
     "1ffff",
     "negative length"},
    {"array longer than the frame",
     "2100000000000000000701"
     "7fff",
     "ends in the middle"},
    {"null in an array",
     "2100000000000000000701"
     "000100",
     "null where"},
    {"session without its id", "04000000010000", "null where"},
    {"session id without its connection",
     "0400000001000179"
     "00",
     "null where"},
    {"session id of another type", "040000000100017a0100016300000000000000010000000000000001",
     "does not belong there"},
    {"transaction id that is a destination",
     "070000000000"
     "00"
     "0164"
     "010001"
     "71"
     "02",
     "does not belong there"},
    {"remove of a broker id",
     "0c000000000001"
     "7c"
     "01000161"
     "0000000000000000",
     "does not belong there"},
    {"destination of an unknown kind",
     "140000000000"
     "017a0100016300000000000000010000000000000001"
     "0168"
     "01000171",
     "does not belong there"},
    {"wrong magic",
     "01"
     "4163746976654d50"
     "0000000c"
     "00",
     "magic"},
    {"magic cut",
     "01"
     "41637469",
     "goes beyond the end"},
    {"negative stack depth",
     "100000000000"
     "01"
     "00"
     "00"
     "ffff",
     "negative length"},
    {"stack longer than the frame",
     "100000000000"
     "01"
     "00"
     "00"
     "7fff",
     "ends in the middle"},
};

TEST(OpenWireCodec, RefusesWhatMakesNoSense) {
  for (const BadFrame& bad : kBadFrames) {
    SCOPED_TRACE(bad.name);
    const std::string frame = from_hex(bad.hex);
    ASSERT_TRUE(!frame.empty() || bad.hex[0] == '\0');
    const std::string block(frame);  // on the heap, to its last byte
    AnyCommand command;
    std::string error;
    const bool with_stacks = std::string_view(bad.name).find("stack") != std::string_view::npos;
    EXPECT_FALSE(read_command(block, {12, with_stacks}, command, error));
    EXPECT_NE(error.find(bad.error), std::string::npos) << error;
  }
}

/// Message fields up to dataStructure, all of them null or zero.
std::string message_up_to_data_structure() {
  std::string bytes(1, '\x17');
  bytes += std::string(4 + 1, '\0');  // commandId, responseRequired
  bytes += std::string(6, '\0');      // producerId … originalTransactionId
  bytes += std::string(1 + 4 + 1 + 1 + 8 + 1 + 1 + 8, '\0');  // groupID … timestamp
  bytes += std::string(3, '\0');                              // type, content, marshalledProperties
  return bytes;
}

TEST(OpenWireCodec, BoundsTheNestingOfStructures) {
  const std::string one = message_up_to_data_structure();
  std::string frame;
  for (int depth = 0; depth < 1000; ++depth) frame += one + '\1';
  AnyCommand command;
  std::string error;
  EXPECT_FALSE(read_command(frame, {}, command, error));
  EXPECT_NE(error.find("nested too deep"), std::string::npos) << error;
}

TEST(OpenWireCodec, BoundsTheCausesOfAThrowable) {
  std::string frame = from_hex("100000000000");
  frame += std::string(1, '\1');
  for (int depth = 0; depth < 1000; ++depth) frame += std::string("\0\0\0\0\1", 5);
  AnyCommand command;
  std::string error;
  EXPECT_FALSE(read_command(frame, {12, true}, command, error));
  EXPECT_NE(error.find("nested too deep"), std::string::npos) << error;
}

TEST(OpenWireCodec, KeepsTheDepthThatLegalFramesHave) {
  Message message;
  for (int depth = 0; depth < 8; ++depth) {
    auto inner = std::make_shared<Command>();
    inner->value = message;
    Message outer;
    outer.data_structure = inner;
    message = outer;
  }
  const std::string frame = frame_of(AnyCommand(message));
  AnyCommand command;
  std::string error;
  ASSERT_TRUE(read_command(std::string_view(frame).substr(4), {}, command, error)) << error;
  EXPECT_EQ(frame_of(command), frame);
}

TEST(OpenWireCodec, NamesTypes) {
  EXPECT_EQ(type_name(5), "ConsumerInfo");
  EXPECT_EQ(type_name(28), "ActiveMQTextMessage");
  EXPECT_EQ(type_name(124), "BrokerId");
  EXPECT_EQ(type_name(13), "unknown");
  EXPECT_EQ(type_name(255), "unknown");
}

}  // namespace
}  // namespace pabal::openwire
