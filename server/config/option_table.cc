#include "server/config/option_table.h"

#include <limits>
#include <map>

#include "server/config/values.h"

namespace pabal::server {

std::span<const Standing> standings() noexcept;                  // standings.cc
std::string_view element_group(std::string_view name) noexcept;  // shapes.cc

namespace {

/// What the constant tables say, taken apart once.
struct Parsed {
  std::map<std::string_view, const Shape*> shapes;
  std::map<std::string_view, std::vector<std::pair<std::string, std::vector<std::string>>>>
      properties;
  std::map<std::pair<std::string_view, std::string_view>, const Option*> options;
  std::map<std::string_view, const Standing*> standings;
  std::vector<Option> rows;
  /// Attributes without a row of their own.
  std::map<std::string_view, std::vector<Option>> plain;
};

Option plain_option(const Shape& shape, std::string_view name, const Standing& standing) {
  Option option;
  option.owner = shape.name;
  switch (name.front()) {
    case '?':
      option.type = Type::boolean;
      break;
    case '#':
      option.type = Type::integer;
      break;
    case '%':
      option.type = Type::real;
      break;
    default:
      break;
  }
  if (option.type != Type::text) name.remove_prefix(1);
  option.name = name;
  option.status = standing.status == Status::honoured ? Status::not_yet : standing.status;
  option.why = standing.why.empty() ? "this part is not built" : standing.why;
  return option;
}

void parse_shape(const Shape& shape, Parsed& parsed) {
  parsed.shapes[shape.name] = &shape;
  auto& properties = parsed.properties[shape.name];
  for (const std::string_view item : split(shape.properties, ' ')) {
    if (item.empty()) continue;
    const auto equals = item.find('=');
    std::string_view list = item.substr(equals + 1);
    if (list.front() == '@') list = element_group(list.substr(1));
    std::vector<std::string> elements;
    for (const std::string_view element : split(list, '|')) elements.emplace_back(element);
    properties.emplace_back(item.substr(0, equals), std::move(elements));
  }
}

Parsed parse_tables() {
  Parsed parsed;
  for (const Shape& shape : shapes()) parse_shape(shape, parsed);
  for (const Standing& standing : standings()) parsed.standings[standing.name] = &standing;
  for (const auto part : {broker_options(), connector_options(), store_options(), pabal_options(),
                          policy_options(), virtual_options(), other_options()}) {
    parsed.rows.insert(parsed.rows.end(), part.begin(), part.end());
  }
  for (const Option& row : parsed.rows) parsed.options[{row.owner, row.name}] = &row;
  for (const Shape& shape : shapes()) {
    const auto standing = parsed.standings.find(shape.name);
    const Standing own = standing == parsed.standings.end()
                             ? Standing{shape.name, Status::not_yet, "this part is not built"}
                             : *standing->second;
    auto& plain = parsed.plain[shape.name];
    for (const std::string_view name : split(shape.attributes, ' ')) {
      if (name.empty()) continue;
      Option option = plain_option(shape, name, own);
      if (!parsed.options.contains({shape.name, option.name})) plain.push_back(option);
    }
  }
  for (const auto& [owner, plain] : parsed.plain) {
    for (const Option& option : plain) parsed.options[{owner, option.name}] = &option;
  }
  return parsed;
}

const Parsed& tables() {
  static const Parsed parsed = parse_tables();
  return parsed;
}

}  // namespace

std::string_view to_string(Type type) noexcept {
  switch (type) {
    case Type::text:
      return "text";
    case Type::boolean:
      return "boolean";
    case Type::any_case_boolean:
      return "boolean";
    case Type::integer:
      return "integer";
    case Type::real:
      return "number";
    case Type::memory:
      return "memory size";
    case Type::milliseconds:
      return "milliseconds";
    case Type::choice:
      return "choice";
    case Type::path:
      return "path";
    case Type::uri:
      return "URI";
    case Type::heart_beat:
      return "milliseconds,milliseconds";
  }
  PABAL_UNREACHABLE();
}

const Shape* find_shape(std::string_view element) noexcept {
  const auto& shapes = tables().shapes;
  const auto found = shapes.find(element == "brokerService" ? "broker" : element);
  return found == shapes.end() ? nullptr : found->second;
}

const std::vector<std::string>* find_property(const Shape& shape, std::string_view property) {
  for (const auto& [name, elements] : tables().properties.at(shape.name)) {
    if (name == property) return &elements;
  }
  return nullptr;
}

std::vector<std::string> property_names(const Shape& shape) {
  std::vector<std::string> names;
  for (const auto& [name, elements] : tables().properties.at(shape.name)) names.push_back(name);
  return names;
}

std::vector<Option> options_of(const Shape& shape) {
  std::vector<Option> options;
  for (const Option& row : option_rows()) {
    if (row.owner == shape.name && !row.name.starts_with("uri?")) options.push_back(row);
  }
  const auto& plain = tables().plain.at(shape.name);
  options.insert(options.end(), plain.begin(), plain.end());
  return options;
}

const Option* find_option(std::string_view owner, std::string_view name) noexcept {
  const auto& options = tables().options;
  const auto found = options.find({owner, name});
  return found == options.end() ? nullptr : found->second;
}

const std::vector<Option>& option_rows() {
  return tables().rows;
}

Standing standing_of(std::string_view name) noexcept {
  const auto& standings = tables().standings;
  const auto found = standings.find(name);
  if (found != standings.end()) return *found->second;
  const bool property = name.find('.') != std::string_view::npos;
  return {name, property ? Status::honoured : Status::not_yet, "this part is not built"};
}

std::string allowed(const Option& option) {
  if (option.type == Type::choice) {
    std::string text;
    const auto choices = split(option.choices, '|');
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (i != 0) text += i + 1 == choices.size() ? " or " : ", ";
      text += choices[i];
    }
    return text;
  }
  if (option.max <= option.min) return {};
  const bool memory = option.type == Type::memory;
  const auto show = [&](std::int64_t number) {
    return memory ? memory_text(number) : std::to_string(number);
  };
  if (option.type == Type::text || option.type == Type::path || option.type == Type::uri) {
    return "of " + show(option.min) + " to " + show(option.max) + " characters";
  }
  if (option.max == std::numeric_limits<std::int64_t>::max()) return "at least " + show(option.min);
  return "from " + show(option.min) + " to " + show(option.max);
}

}  // namespace pabal::server
