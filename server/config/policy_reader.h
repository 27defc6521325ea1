#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/config/reading.h"

namespace pabal::server {

/// Puts together what stands in destinationPolicy, destinationInterceptors and the plugins that
/// change messages: the walker tells it when an element begins, its attributes fill the draft, and
/// when it ends the draft goes to where it belongs. Only elements that are honoured come here.
class PolicyReader {
 public:
  explicit PolicyReader(Reading& reading) : reading_(reading) {}

  /// Before the attributes. `property`: in which the element stands, as "policyMap.defaultEntry".
  void begin(const XmlElement& element, const Shape& shape, const std::string& property);
  /// After the children. Reports what is wrong with the whole.
  void end(const XmlElement& element, const Shape& shape, const std::string& property,
           const std::string& path);

  /// Whether a queue or topic element in `property` says what something is for, or where it goes,
  /// and is no destination to create.
  static bool refers(std::string_view property) noexcept;
  void reference(core::Destination destination, const std::string& property,
                 const SourceLocation& location, const std::string& path);

  /// Where in the list of settings the attributes of the element being read stand, as
  /// "policyEntry[queue://A.>]/sharedDeadLetterStrategy"; empty: it is no part.
  [[nodiscard]] std::string scope() const;

 private:
  using Text = PolicyDraft::Text;

  void end_policy(const XmlElement& element, const std::string& property, const std::string& path);
  void end_redelivery(const XmlElement& element, const std::string& property,
                      const std::string& path);
  void end_filter(const XmlElement& element, const std::string& path);
  void end_composite(const XmlElement& element, const std::string& path);
  /// Whether what is sent to the composite listed last comes back to it, by exact names.
  [[nodiscard]] bool last_composite_loops() const;
  void end_virtual_topic(const XmlElement& element, const std::string& path);
  void end_discarding_plugin(const std::string& path);
  void take_dead_letter_queue(const std::string& path);
  void take_group_map_type(const std::string& path);
  /// The destinations that the draft's name lists, commas between; reports what is wrong with them.
  std::vector<core::Destination> targets(const XmlElement& element, const std::string& path);
  /// The text of an attribute of the element that ends; null if it has none.
  const Text* text(const std::string& name) const;
  void error(const SourceLocation& location, const std::string& path, std::string what);

  /// An element that is open, and the texts of the one around it.
  struct Scope {
    std::string name;
    std::map<std::string, Text> outer_texts;
  };

  Reading& reading_;
  std::vector<Scope> scopes_;
  bool dead_letters_given_ = false;  ///< by an element within the policyEntry that is open
};

/// After the whole file: which virtual destinations there are.
void finish_policies(Reading& reading);

}  // namespace pabal::server
