#include "store/testing/simulated_file_system.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace pabal::store {

namespace {
constexpr std::uint64_t kPage = 4096;
Error gone() {
  return {Errc::store_io, "the process is gone"};
}
}  // namespace

struct SimulatedFileSystem::Node {
  std::string path;
  std::string content;            // what the process sees
  std::string durable;            // what a power cut leaves
  std::set<std::uint64_t> dirty;  // pages that differ
  std::uint64_t durable_size = 0;
};

class SimulatedFile final : public File {
 public:
  SimulatedFile(SimulatedFileSystem& files, std::shared_ptr<SimulatedFileSystem::Node> node,
                std::uint64_t life)
      : files_(files), node_(std::move(node)), life_(life) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    return files_.read(*node_, offset, into, life_);
  }
  Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    return files_.write(*node_, offset, bytes, life_);
  }
  Result<void> sync() override { return files_.sync(*node_, life_); }
  Result<std::uint64_t> size() override { return files_.size(*node_, life_); }

 private:
  SimulatedFileSystem& files_;
  std::shared_ptr<SimulatedFileSystem::Node> node_;
  std::uint64_t life_;
};

namespace {

class SimulatedLock final : public DirectoryLock {
 public:
  explicit SimulatedLock(std::function<void()> release) : release_(std::move(release)) {}
  ~SimulatedLock() override { release_(); }

 private:
  std::function<void()> release_;
};

}  // namespace

Result<void> SimulatedFileSystem::count_call() {
  ++calls_;
  if (calls_ >= die_at_) return gone();
  return {};
}

std::uint64_t SimulatedFileSystem::used() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, node] : names_) bytes += node->content.size();
  return bytes;
}

void SimulatedFileSystem::pace(const Node& node, bool sync) {
  if (!pace_) return;
  std::string path;
  {
    MutexLock lock(mutex_);
    path = node.path;
  }
  pace_(path, sync);
}

Result<void> SimulatedFileSystem::write(Node& node, std::uint64_t offset,
                                        std::span<const std::byte> bytes, std::uint64_t life) {
  pace(node, false);
  MutexLock lock(mutex_);
  if (life != life_) return gone();
  const bool dying = calls_ + 1 >= die_at_;
  auto counted = count_call();
  if (dying && calls_ > die_at_) return counted;
  if (fail_write_ && node.path.find(*fail_write_) != std::string::npos) {
    fail_write_.reset();
    return Error{Errc::store_io, "cannot write " + node.path + ": Input/output error"};
  }
  std::uint64_t take = bytes.size();
  // A process that is killed in a write leaves any part of it.
  if (dying) take = random_() % (bytes.size() + 1);
  const std::uint64_t end = offset + take;
  if (end > node.content.size() && used() + end - node.content.size() > capacity_) {
    return Error{Errc::store_full, "cannot write " + node.path + ": No space left on device"};
  }
  if (end > node.content.size()) node.content.resize(end, '\0');
  std::memcpy(node.content.data() + offset, bytes.data(), take);
  for (std::uint64_t page = offset / kPage; take > 0 && page <= (end - 1) / kPage; ++page) {
    node.dirty.insert(page);
  }
  return counted;
}

Result<std::size_t> SimulatedFileSystem::read(Node& node, std::uint64_t offset,
                                              std::span<std::byte> into, std::uint64_t life) {
  MutexLock lock(mutex_);
  if (life != life_) return gone();
  if (offset >= node.content.size()) return std::size_t{0};
  const std::size_t bytes = std::min<std::size_t>(into.size(), node.content.size() - offset);
  std::memcpy(into.data(), node.content.data() + offset, bytes);
  return bytes;
}

Result<void> SimulatedFileSystem::sync(Node& node, std::uint64_t life) {
  pace(node, true);
  MutexLock lock(mutex_);
  if (life != life_) return gone();
  if (auto counted = count_call(); !counted) return counted;
  if (fail_sync_ && node.path.find(*fail_sync_) != std::string::npos) {
    fail_sync_.reset();
    node.dirty.clear();  // what Linux does: clean, and not on the disk
    return Error{Errc::store_io, "cannot sync " + node.path + ": Input/output error"};
  }
  node.durable.resize(std::max(node.durable.size(), node.content.size()), '\0');
  for (const std::uint64_t page : node.dirty) {
    const std::uint64_t start = page * kPage;
    const std::uint64_t bytes = std::min(kPage, node.content.size() - start);
    std::memcpy(node.durable.data() + start, node.content.data() + start, bytes);
  }
  node.dirty.clear();
  node.durable_size = node.content.size();
  return {};
}

Result<std::uint64_t> SimulatedFileSystem::size(Node& node, std::uint64_t life) {
  MutexLock lock(mutex_);
  if (life != life_) return gone();
  return std::uint64_t{node.content.size()};
}

Result<std::unique_ptr<File>> SimulatedFileSystem::open(const std::string& path, OpenMode mode) {
  MutexLock lock(mutex_);
  if (calls_ >= die_at_) return gone();
  auto found = names_.find(path);
  if (mode == OpenMode::create) {
    // A new file in any case: the old one's content stays with its durable name until that goes.
    auto node = std::make_shared<Node>();
    node->path = path;
    found = names_.insert_or_assign(path, std::move(node)).first;
  }
  if (found == names_.end()) {
    return Error{Errc::store_io, "cannot open " + path + ": No such file or directory"};
  }
  return std::unique_ptr<File>(new SimulatedFile(*this, found->second, life_));
}

Result<void> SimulatedFileSystem::rename(const std::string& from, const std::string& to) {
  MutexLock lock(mutex_);
  if (auto counted = count_call(); !counted) return counted;
  const auto found = names_.find(from);
  if (found == names_.end()) return Error{Errc::store_io, "cannot rename " + from};
  found->second->path = to;
  names_[to] = found->second;
  names_.erase(from);
  return {};
}

Result<void> SimulatedFileSystem::unlink(const std::string& path) {
  MutexLock lock(mutex_);
  if (auto counted = count_call(); !counted) return counted;
  if (names_.erase(path) == 0) return Error{Errc::store_io, "cannot remove " + path};
  return {};
}

Result<void> SimulatedFileSystem::create_directory(const std::string&) {
  return {};
}

Result<void> SimulatedFileSystem::sync_directory(const std::string& path) {
  MutexLock lock(mutex_);
  if (auto counted = count_call(); !counted) return counted;
  const std::string prefix = path + "/";
  std::erase_if(durable_names_, [&](const auto& each) PABAL_NO_THREAD_SAFETY_ANALYSIS {
    return each.first.starts_with(prefix) && !names_.contains(each.first);
  });
  for (const auto& [name, node] : names_) {
    if (name.starts_with(prefix)) durable_names_[name] = node;
  }
  return {};
}

Result<std::vector<std::string>> SimulatedFileSystem::list(const std::string& path) {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  const std::string prefix = path + "/";
  for (const auto& [name, node] : names_) {
    if (name.starts_with(prefix)) names.push_back(name.substr(prefix.size()));
  }
  return names;
}

bool SimulatedFileSystem::exists(const std::string& path) {
  MutexLock lock(mutex_);
  const auto at = names_.lower_bound(path);
  return at != names_.end() && (at->first == path || at->first.starts_with(path + "/"));
}

std::uint64_t SimulatedFileSystem::bytes_under(const std::string& path) {
  MutexLock lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& [name, node] : names_) {
    if (name == path || name.starts_with(path + "/")) bytes += node->content.size();
  }
  return bytes;
}

Result<std::unique_ptr<DirectoryLock>> SimulatedFileSystem::lock(const std::string& path) {
  MutexLock lock(mutex_);
  if (locks_[path]) return Error{Errc::in_use, "the store is in use (" + path + ")"};
  locks_[path] = true;
  const std::uint64_t life = life_;
  return std::unique_ptr<DirectoryLock>(new SimulatedLock([this, path, life] {
    MutexLock released(mutex_);
    if (life == life_) locks_[path] = false;
  }));
}

void SimulatedFileSystem::kill() {
  MutexLock lock(mutex_);
  ++life_;
  locks_.clear();
  die_at_ = ~0ULL;
  calls_ = 0;
  fail_sync_.reset();
  fail_write_.reset();
}

void SimulatedFileSystem::cut_power(Unsynced unsynced) {
  kill();
  MutexLock lock(mutex_);
  auto survives = [&]() PABAL_NO_THREAD_SAFETY_ANALYSIS {
    return unsynced == Unsynced::kept || (unsynced == Unsynced::random && random_() % 2 == 0);
  };
  std::set<std::shared_ptr<Node>> nodes;
  for (const auto& [name, node] : names_) nodes.insert(node);
  for (const auto& [name, node] : durable_names_) nodes.insert(node);
  std::vector<std::shared_ptr<Node>> ordered(nodes.begin(), nodes.end());
  std::sort(ordered.begin(), ordered.end(),
            [](const auto& a, const auto& b) { return a->path < b->path; });
  for (const auto& node : ordered) {
    for (const std::uint64_t page : node->dirty) {
      if (!survives()) continue;
      const std::uint64_t start = page * kPage;
      const std::uint64_t bytes = std::min(kPage, node->content.size() - start);
      node->durable.resize(std::max<std::uint64_t>(node->durable.size(), start + bytes), '\0');
      std::memcpy(node->durable.data() + start, node->content.data() + start, bytes);
    }
    node->content = node->durable;
    node->dirty.clear();
  }
  // Names: those that were synced, and of the changes since any part.
  auto names = durable_names_;
  for (const auto& [name, node] : names_) {
    const auto before = durable_names_.find(name);
    if (before != durable_names_.end() && before->second == node) continue;
    if (survives()) names[name] = node;
  }
  for (const auto& durable : durable_names_) {
    const std::string& name = durable.first;
    if (names_.contains(name)) continue;
    // A rename is atomic: the old name goes exactly if the new one came.
    const auto has_node = [&](const auto& each) { return each.second == durable.second; };
    const bool renamed = std::any_of(names_.begin(), names_.end(), has_node);
    const bool elsewhere = std::count_if(names.begin(), names.end(), has_node) > 1;
    if (renamed ? elsewhere : survives()) names.erase(name);
  }
  names_ = names;
  durable_names_ = names;
  for (const auto& [name, node] : names_) node->path = name;
}

std::unique_ptr<SimulatedFileSystem> SimulatedFileSystem::synced_copy() const {
  auto copy = std::make_unique<SimulatedFileSystem>();
  MutexLock lock(mutex_);
  MutexLock copied(copy->mutex_);
  for (const auto& [name, node] : durable_names_) {
    auto same = std::make_shared<Node>();
    same->path = name;
    same->content = same->durable = node->durable;
    same->durable_size = node->durable_size;
    copy->names_[name] = copy->durable_names_[name] = std::move(same);
  }
  return copy;
}

void SimulatedFileSystem::die_at(std::uint64_t number) {
  MutexLock lock(mutex_);
  die_at_ = calls_ + number;
}

bool SimulatedFileSystem::dead() const {
  MutexLock lock(mutex_);
  return calls_ >= die_at_;
}

std::uint64_t SimulatedFileSystem::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}

void SimulatedFileSystem::set_capacity(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  capacity_ = bytes;
}

std::uint64_t SimulatedFileSystem::bytes_used() const {
  MutexLock lock(mutex_);
  return used();
}

void SimulatedFileSystem::fail_sync(std::string part) {
  MutexLock lock(mutex_);
  fail_sync_ = std::move(part);
}

void SimulatedFileSystem::fail_write(std::string part) {
  MutexLock lock(mutex_);
  fail_write_ = std::move(part);
}

void SimulatedFileSystem::damage(const std::string& path, std::uint64_t offset) {
  MutexLock lock(mutex_);
  const auto node = names_.find(path);
  PABAL_CHECK(node != names_.end() && offset < node->second->content.size(), "there is that byte");
  node->second->content[offset] ^= 1;
  if (offset < node->second->durable.size()) node->second->durable[offset] ^= 1;
}

}  // namespace pabal::store
