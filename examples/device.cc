// A device that reports what it measures and obeys commands, with Paho C++ over MQTT 5
// (Debian: apt install libpaho-mqttpp-dev libpaho-mqtt-dev;
// g++ -std=c++17 -o device device.cc -lpaho-mqttpp3 -lpaho-mqtt3as).
//
//     device [--port 1883] NAME report TEXT...    to all who listen to VirtualTopic/readings/NAME
//     device [--port 1883] NAME alarm TEXT...     to one of those who consume the queue `alarms`
//     device [--port 1883] NAME obey COUNT        waits for so many commands

#include <chrono>
#include <iostream>
#include <mqtt/async_client.h>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr auto kPatience = std::chrono::seconds(60);

class Device {
 public:
  Device(const std::string& name, const std::string& port)
      : name_(name), client_("tcp://127.0.0.1:" + port, name, mqtt::create_options(MQTTVERSION_5)) {
    client_.start_consuming();
    // The session outlives the connection by a day: commands wait for a device that is away. If the
    // connection is lost, the broker says so in its name.
    const mqtt::properties for_a_day{{mqtt::property::SESSION_EXPIRY_INTERVAL, 86400}};
    wait_for(client_.connect(mqtt::connect_options_builder()
                                 .mqtt_version(MQTTVERSION_5)
                                 .clean_start(false)
                                 .properties(for_a_day)
                                 .will(mqtt::message("status/" + name_, "lost", 1, true))
                                 .finalize()));
    wait_for(client_.subscribe("commands/" + name_, 2));
    say("status/" + name_, "present", true);
  }

  /// Returns when it is safe on the broker's disk.
  void say(const std::string& topic, const std::string& text, bool retained = false) {
    auto message = mqtt::make_message(topic, text, 1, retained);
    // Where to answer, and to what. A STOMP client sees them as reply-to and correlation-id.
    message->set_properties({{mqtt::property::CONTENT_TYPE, "text/plain"},
                             {mqtt::property::RESPONSE_TOPIC, "commands/" + name_},
                             {mqtt::property::CORRELATION_DATA, text}});
    wait_for(client_.publish(message));
  }

  std::string next_command() {
    mqtt::const_message_ptr message;
    if (!client_.try_consume_message_for(&message, kPatience) || !message) {
      throw std::runtime_error("no command");
    }
    return message->to_string();
  }

  void leave() {
    say("status/" + name_, "away", true);
    wait_for(client_.disconnect());
  }

 private:
  static void wait_for(const mqtt::token_ptr& token) {
    if (!token->wait_for(kPatience)) throw std::runtime_error("the broker does not answer");
    // A PUBACK too may say that the broker refused; codes from 0x80 on are errors.
    if (token->get_reason_code() >= 0x80) throw std::runtime_error("the broker refused");
  }

  std::string name_;
  mqtt::async_client client_;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  std::string port = "1883";
  if (words.size() > 1 && words[0] == "--port") {
    port = words[1];
    words.erase(words.begin(), words.begin() + 2);
  }
  if (words.size() < 3) {
    std::cerr << "usage: device [--port 1883] NAME report|alarm TEXT...\n"
                 "       device [--port 1883] NAME obey COUNT\n";
    return 2;
  }
  try {
    Device device(words[0], port);
    if (words[1] == "obey") {
      for (int left = std::stoi(words[2]); left > 0; --left) {
        std::cout << device.next_command() << std::endl;
      }
    } else {
      const bool alarm = words[1] == "alarm";
      for (std::size_t i = 2; i < words.size(); ++i) {
        device.say(alarm ? "$queue/alarms" : "VirtualTopic/readings/" + words[0], words[i]);
      }
    }
    device.leave();
  } catch (const std::exception& error) {
    std::cerr << "device: " << error.what() << '\n';
    return 1;
  }
}
