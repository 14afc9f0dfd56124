// The only file that knows yaml-cpp: its events become Nodes, and what it lets through in silence is refused here.
#include "engine/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "engine/text/utf8.h"

namespace seqgrad {
namespace {

constexpr size_t largest_file = size_t{1} << 20;
constexpr size_t deepest = 32;
constexpr size_t most_values = 100000;
constexpr size_t most_brackets = 200000;  // and commas

struct Unreadable {};  // the problem is noted and reading cannot go on

int characters(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// The offset just past the quoted text that begins at `begin`, or npos when its quote is never closed.
size_t end_of_quoted(const std::string& text, size_t begin) {
  const char quote = text[begin];
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\')
      ++i;
    else if (text[i] == quote && quote == '\'' && i + 1 < text.size() && text[i + 1] == quote)
      ++i;
    else if (text[i] == quote)
      return i + 1;
  }
  return std::string::npos;
}

class Builder : public YAML::EventHandler {
 public:
  Builder(std::shared_ptr<const Source> source, Problems& problems) : source_(std::move(source)), problems_(problems) {}

  Node root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ == 0) return;
    const Location at = location(mark);
    if (source_->line(at.line).starts_with("---")) stop(at, "a second document begins here; one file holds one");
    stop(at, "this does not continue what stands above (check the indentation, and that a space follows each ':')");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node n;
    // The library's mark is that of the next token, which may be lines below.
    n.at = open_.empty()                      ? location(mark)
           : open_.back().next == Next::value ? open_.back().node.keys.back().at
                                              : open_.back().node.at;
    refuse_anchor(n.at, anchor);
    put(std::move(n));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.add_excerpt(location(mark), "aliases are not supported; write the value out");
    lose();
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node n;
    n.kind = Node::Kind::scalar;
    n.text = value;
    n.at = location(mark);
    const auto begin = static_cast<size_t>(mark.pos);
    const char first = begin < source_->text.size() ? source_->text[begin] : '\0';
    refuse_anchor(n.at, anchor);
    refuse_tag(n.at, tag, first == '!');
    n.quoted = tag == "!" && first != '!';
    if (first == '"' || first == '\'') {
      const size_t end = end_of_quoted(source_->text, begin);
      if (end == std::string::npos) stop(n.at, "this quote is never closed");
      n.at.length = characters(std::string_view(source_->text).substr(begin, end - begin));
    } else {
      n.at.length = std::max(1, characters(value));
    }
    put(std::move(n));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

  // Marks count bytes; locations count characters. Marks mostly move forward, so a long line is not counted again.
  Location location(const YAML::Mark& mark) {
    const auto position = std::min(static_cast<size_t>(std::max(0, mark.pos)), source_->text.size());
    if (const int line = std::max(0, mark.line); line != line_ || position < position_) {
      line_ = line;
      position_ = position - std::min(position, static_cast<size_t>(std::max(0, mark.column)));
      column_ = 1;
    }
    column_ += characters(std::string_view(source_->text).substr(position_, position - position_));
    position_ = position;
    return {source_, line_ + 1, column_, 1};
  }
  Location innermost() const { return open_.empty() ? Location{source_, 1, 1, 1} : open_.back().node.at; }
  [[noreturn]] void stop(const Location& at, const std::string& message) {
    problems_.add_excerpt(at, message);
    throw Unreadable{};
  }

 private:
  enum class Next { key, value, lost_value };  // what an open map waits for
  struct Open {
    Node node;
    Next next = Next::key;
    std::unordered_set<std::string> names;
  };

  void refuse_anchor(const Location& at, YAML::anchor_t anchor) {
    if (anchor != 0) problems_.add_excerpt(at, "anchors are not supported; remove the '&…'");
  }
  // The library's own tags are "?" for plain and "!" for quoted scalars; the latter can also be written.
  void refuse_tag(const Location& at, const std::string& tag, bool written = false) {
    if (written || (!tag.empty() && tag != "?" && tag != "!"))
      problems_.add_excerpt(at, "tags are not supported; remove the '!…'");
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    Open o;
    o.node.kind = kind;
    o.node.at = location(mark);
    refuse_anchor(o.node.at, anchor);
    refuse_tag(o.node.at, tag);
    if (open_.size() == deepest) stop(o.node.at, fmt::format("nested more than {} levels deep", deepest));
    open_.push_back(std::move(o));
  }
  void close() {
    Node n = std::move(open_.back().node);
    open_.pop_back();
    put(std::move(n));
  }
  void put(Node n) {
    if (++values_ > most_values) stop(n.at, fmt::format("more than {} values", most_values));
    if (open_.empty()) {
      root = std::move(n);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::sequence || parent.next == Next::value) {
      parent.node.items.push_back(std::move(n));
      parent.next = Next::key;
    } else if (parent.next == Next::lost_value) {
      parent.next = Next::key;
    } else {
      put_key(parent, n);
    }
  }
  void put_key(Open& parent, const Node& n) {
    parent.next = Next::lost_value;
    if (n.kind != Node::Kind::scalar)
      problems_.add_excerpt(n.at, "a key must be a plain word");
    else if (n.text == "<<" && !n.quoted)
      problems_.add_excerpt(n.at, "merge keys are not supported; write the values out");
    else if (!parent.names.insert(n.text).second) {
      problems_.add_excerpt(n.at, fmt::format("'{}' stands twice in the same section", shown(n.text)));
      parent.node.lost.push_back(n.text);
    } else {
      parent.node.keys.push_back({n.text, n.at});
      parent.next = Next::value;
    }
  }
  // In the place of a value that cannot be had.
  void lose() {
    if (open_.empty() || open_.back().node.kind == Node::Kind::sequence) return;
    Open& parent = open_.back();
    if (parent.next == Next::value) {
      parent.node.lost.push_back(parent.node.keys.back().name);
      parent.node.keys.pop_back();
    }
    parent.next = parent.next == Next::key ? Next::lost_value : Next::key;
  }

  std::shared_ptr<const Source> source_;
  Problems& problems_;
  std::vector<Open> open_;
  size_t values_ = 0;
  int documents_ = 0;
  int line_ = -1, column_ = 1;
  size_t position_ = 0;
};

// BOM and CRLF are accepted and gone after this.
std::string normalised(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string clean;
  clean.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') clean += text[i];
  return clean;
}

// What must be found before yaml-cpp reads the text. False: it must not read it.
bool check_text(const std::shared_ptr<Source>& source, Problems& problems) {
  const std::string& text = source->text;
  if (const size_t bad = utf8_error(text); bad < text.size()) {
    const auto line = static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n'));
    const size_t start = bad == 0 ? 0 : text.rfind('\n', bad - 1) + 1;  // npos + 1 is 0
    problems.add({source, line + 1, characters(std::string_view(text).substr(start, bad - start)) + 1, 1},
                 fmt::format("byte {} of this line, 0x{:02x}, is not UTF-8", bad - start + 1,
                             static_cast<unsigned char>(text[bad])));
    return false;
  }
  bool good = true;
  size_t brackets = 0;
  int line = 1, column = 1, tab_line = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const auto refuse_here = [&](std::string message) {
      problems.add_excerpt({source, line, column, 1}, std::move(message));
      good = false;
    };
    if (c == '\t' && tab_line != line) {
      tab_line = line;
      refuse_here("a tab stands here; use spaces (in a text write \"\\t\")");
    } else if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) {
      refuse_here(fmt::format("the control byte 0x{:02x} stands here; remove it", byte));
    }
    // The library queues a whole line of these before its first event: this bounds its memory.
    if (std::string_view("[]{},").find(c) != std::string_view::npos && ++brackets > most_brackets) {
      refuse_here(fmt::format("more than {} brackets and commas", most_brackets));
      return false;
    }
    if (c == '\n')
      ++line, column = 1;
    else if ((byte & 0xC0) != 0x80)
      ++column;
  }
  return good;
}

constexpr std::string_view unclosed = "this bracket is never closed (or a ',' is missing in it)";

// The library's message in this program's words; they say what to look for.
std::string meaning(const YAML::Exception& e) {
  namespace M = YAML::ErrorMsg;
  static const std::pair<std::string_view, std::string_view> table[] = {
      {M::END_OF_MAP_FLOW, unclosed},
      {M::END_OF_SEQ_FLOW, unclosed},
      {M::EOF_IN_SCALAR, "a quote above is never closed"},
      {M::FLOW_END, "this bracket was never opened"},
      {M::MAP_VALUE,
       "no key fits this ':' (check the indentation and the line above; text that holds ': ' needs quotes)"},
      {M::BLOCK_ENTRY, "a list item '- …' cannot stand here; it begins on a line of its own"},
      {M::UNKNOWN_TOKEN, "a value cannot begin with this character; put it in quotes"},
      {M::INVALID_ESCAPE, "this escape is unknown (in double quotes a backslash is written \\\\)"},
      {M::INVALID_HEX, "this escape needs hexadecimal digits (in double quotes a backslash is written \\\\)"},
      {M::INVALID_UNICODE, "this escape names no character"},
      {M::UNKNOWN_ANCHOR, "aliases are not supported; write the value out"},
      {M::END_OF_MAP, "this does not continue the section above (check the indentation)"},
      {M::END_OF_SEQ, "this does not continue the list above (check the indentation)"},
  };
  for (const auto& [theirs, ours] : table)
    if (e.msg.compare(0, theirs.size(), theirs) == 0) return std::string(ours);
  return "this is not valid YAML (check indentation, quotes and brackets)";
}

}  // namespace

Node read_yaml(const std::shared_ptr<Source>& source, Problems& problems) {
  Node nothing;
  nothing.at = {source, 1, 1, 1};
  if (source->text.size() > largest_file) {
    source->text.clear();
    problems.add(nothing.at, fmt::format("larger than {} bytes, the most that a config may have", largest_file));
    return nothing;
  }
  source->text = normalised(source->text);
  if (!check_text(source, problems)) return nothing;
  Builder builder(source, problems);
  try {
    std::istringstream in(source->text);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    const std::string message = meaning(e);
    problems.add_excerpt(message == unclosed ? builder.innermost() : builder.location(e.mark), message);
    return nothing;
  } catch (const Unreadable&) {
    return nothing;
  }
  if (!builder.root.at.source) builder.root.at = nothing.at;
  return std::move(builder.root);
}

}  // namespace seqgrad
