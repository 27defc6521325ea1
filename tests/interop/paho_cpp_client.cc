// Paho C++ against the broker at $MQTT_PORT, in MQTT 3.1.1 and 5.0; see foreign_client_test.py.

#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <mqtt/async_client.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr auto kPatience = std::chrono::seconds(60);
const int kVersions[] = {MQTTVERSION_3_1_1, MQTTVERSION_5};

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

/// One connected client.
class Client {
 public:
  Client(int version, const std::string& id, bool kept = false)
      : client_(address(), id, mqtt::create_options(version, 5000)) {
    client_.start_consuming();
    mqtt::connect_options_builder options;
    if (version == MQTTVERSION_5) {
      options.mqtt_version(version).clean_start(!kept);
      options.properties({{mqtt::property::SESSION_EXPIRY_INTERVAL, kept ? 3600 : 0}});
    } else {
      options.mqtt_version(version).clean_session(!kept);
    }
    const auto token = client_.connect(options.finalize());
    wait_for(token);
    present_ = token->get_connect_response().is_session_present();
  }

  [[nodiscard]] bool session_present() const { return present_; }

  void subscribe(const std::string& filter, int qos) { wait_for(client_.subscribe(filter, qos)); }

  mqtt::delivery_token_ptr send(const mqtt::message_ptr& message) {
    return client_.publish(message);
  }
  void publish(const std::string& topic, const std::string& payload, int qos,
               bool retained = false) {
    wait_for(send(mqtt::make_message(topic, payload, qos, retained)));
  }

  mqtt::const_message_ptr next() {
    mqtt::const_message_ptr message;
    require(client_.try_consume_message_for(&message, kPatience) && message, "no message");
    return message;
  }

  void disconnect() { wait_for(client_.disconnect()); }

  static void wait_for(const mqtt::token_ptr& token) {
    require(token->wait_for(kPatience), "no answer");
    require(token->get_reason_code() < 0x80, "refused");
  }

 private:
  static std::string address() {
    return std::string("tcp://127.0.0.1:") + std::getenv("MQTT_PORT");
  }

  mqtt::async_client client_;
  bool present_ = false;
};

void every_qos(const std::string& name) {
  for (const int version : kVersions) {
    Client client(version, name);
    client.subscribe(name + "/+", 2);
    for (int qos = 0; qos <= 2; ++qos) {
      const std::string payload("\0payroll\xFF", 9);
      client.publish(name + "/t", payload, qos);
      const auto got = client.next();
      require(got->get_topic() == name + "/t" && got->to_string() == payload &&
                  got->get_qos() == qos && !got->is_retained(),
              "another message");
    }
    client.disconnect();
  }
}

void many_in_flight(const std::string& name) {
  for (const int version : kVersions) {
    Client sender(version, name + "-sender");
    Client receiver(version, name + "-receiver");
    receiver.subscribe(name, 2);
    constexpr int kMessages = 2000;
    std::vector<mqtt::token_ptr> tokens;
    for (int number = 0; number < kMessages; ++number) {
      tokens.push_back(sender.send(mqtt::make_message(name, std::to_string(number), 2, false)));
    }
    for (const auto& token : tokens) Client::wait_for(token);
    for (int number = 0; number < kMessages; ++number) {
      require(receiver.next()->to_string() == std::to_string(number), "out of order");
    }
    sender.disconnect();
    receiver.disconnect();
  }
}

void kept_session(const std::string& name) {
  for (const int version : kVersions) {
    const std::string id = name + std::to_string(version);
    {
      Client client(version, id, true);
      require(!client.session_present(), "a session before the first");
      client.subscribe(id, 2);
      client.disconnect();
    }
    Client sender(version, id + "-sender");
    for (int number = 0; number < 100; ++number) {
      sender.publish(id, std::to_string(number), 1 + number % 2);
    }
    sender.disconnect();
    Client client(version, id, true);
    require(client.session_present(), "no session");
    int sum = 0;
    for (int number = 0; number < 100; ++number) sum += std::stoi(client.next()->to_string());
    require(sum == 4950, "not each once");
    client.disconnect();
  }
}

void properties(const std::string& name) {
  Client client(MQTTVERSION_5, name);
  client.subscribe(name, 1);
  auto message = mqtt::make_message(name, "x", 1, false);
  const std::string correlation("\0\xFF\1", 3);
  message->set_properties({{mqtt::property::CONTENT_TYPE, "text/x"},
                           {mqtt::property::RESPONSE_TOPIC, "an/swer"},
                           {mqtt::property::CORRELATION_DATA, correlation},
                           {mqtt::property::MESSAGE_EXPIRY_INTERVAL, 1000},
                           {mqtt::property::PAYLOAD_FORMAT_INDICATOR, 1},
                           {mqtt::property::USER_PROPERTY, "k", "2"},
                           {mqtt::property::USER_PROPERTY, "k", "1"}});
  Client::wait_for(client.send(message));
  const auto got = client.next()->get_properties();
  const auto text = [&](mqtt::property::code code) { return mqtt::get<std::string>(got, code); };
  require(text(mqtt::property::CONTENT_TYPE) == "text/x", "content type");
  require(text(mqtt::property::RESPONSE_TOPIC) == "an/swer", "response topic");
  require(text(mqtt::property::CORRELATION_DATA) == correlation, "correlation data");
  const auto left = mqtt::get<std::uint32_t>(got, mqtt::property::MESSAGE_EXPIRY_INTERVAL);
  require(left > 900 && left <= 1000, "message expiry");
  for (const std::size_t index : {0, 1}) {
    const auto user = mqtt::get<mqtt::string_pair>(got, mqtt::property::USER_PROPERTY, index);
    require(std::get<0>(user) == "k" && std::get<1>(user) == (index == 0 ? "2" : "1"), "user");
  }
  client.disconnect();
}

void retained(const std::string& name) {
  for (const int version : kVersions) {
    const std::string topic = name + "/" + std::to_string(version);
    Client client(version, name);
    client.publish(topic, "kept", 1, true);
    client.subscribe(topic, 1);
    const auto got = client.next();
    require(got->to_string() == "kept" && got->is_retained(), "not retained");
    client.publish(topic, "", 1, true);
    client.disconnect();
  }
}

void refusal(const std::string& name) {
  Client client(MQTTVERSION_5, name);
  const auto token = client.send(mqtt::make_message("$SYS/x", "x", 1, false));
  int code = 0;
  try {
    if (!token->wait_for(kPatience)) throw std::runtime_error("no answer");
    code = token->get_reason_code();
  } catch (const mqtt::exception& error) {
    code = error.get_reason_code();
  }
  require(code == 0x87, "not refused: " + std::to_string(code));
  client.publish(name, "still there", 1);
  client.disconnect();
}

void scenario(const std::string& name, const std::function<void(const std::string&)>& body) {
  std::string id = "cpp-" + name;
  for (char& each : id) each = each == ' ' ? '-' : each;
  body(id);
  std::cout << "ok " << name << std::endl;
}

}  // namespace

int main() {
  try {
    scenario("every QoS", every_qos);
    scenario("many in flight", many_in_flight);
    scenario("a kept session", kept_session);
    scenario("properties", properties);
    scenario("retained", retained);
    scenario("a refusal", refusal);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
