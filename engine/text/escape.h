// Text from outside made safe for where it goes: a terminal, a page, an XML file. Values in error messages (`shown` and
// `shown_path` of engine/core/error.h) are escaped here too.
#pragma once
#include <string>
#include <string_view>

namespace seqgrad {

// Text as a terminal may get it, on one line. Shown as escapes are: control characters (C0, DEL, C1), which a terminal
// obeys ("\n", "\t", "\r", "\x1b", "\u009b"); characters that are invisible or reorder what stands around them
// (bidirectional controls, line and paragraph separators, zero-width space, byte order mark, tags; "\u202e",
// "\U000e0041"); and each byte that is not UTF-8 ("\xff"). All else stays as it is, backslashes too: what was escaped
// once stays the same, and what is shown cannot always be told from what was typed with a backslash.
// Zero-width joiner and non-joiner stay: they belong to the spelling of Persian, of Indic scripts and of emoji.
std::string for_terminal(std::string_view text);

// The same for text of several lines: line feeds stay.
std::string lines_for_terminal(std::string_view text);

// Text as it may stand between the tags of a page and in quoted attributes. Control characters become visible signs,
// bytes that are not UTF-8 U+FFFD.
std::string for_html(std::string_view text);

// Text as it may stand between the tags of an XML 1.0 file and in quoted attributes. What XML has no place for, not
// even escaped (most control characters, U+FFFE and U+FFFF, bytes that are not UTF-8), becomes U+FFFD.
std::string for_xml(std::string_view text);

// A file's name as a part of an address: bytes other than letters, digits and -._~ as %XX.
std::string for_url(std::string_view name);

}  // namespace seqgrad
