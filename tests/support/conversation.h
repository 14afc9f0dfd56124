// What any kind of Processes must do: each gets what each other has for it, in order.
#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "engine/comm/processes.h"

// What process `from` says to process `to` in a round: of any length, none included, and now and then a long one.
inline std::string said(int from, int to, int round) {
  return std::string(static_cast<size_t>((7 * from + 3 * to + round) % 5 + (round == 9 ? 200'001 + from : 0)),
                     static_cast<char>('a' + from)) +
         (round % 2 ? std::to_string(to) : "");
}

// Twenty rounds of two messages from each to each, and of a gather; true where all came as they were sent.
inline bool converse(seqgrad::Processes& p) {
  using namespace seqgrad;
  bool right = true;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> texts, got, want;
    for (int r = 0; r < p.count(); ++r)
      for (int piece = 0; piece < 2 && r != p.rank(); ++piece) {
        texts.push_back(said(p.rank(), r, round + piece));
        want.push_back(said(r, p.rank(), round + piece));
        got.emplace_back(want.back().size(), '?');
      }
    std::vector<Outgoing> mine;
    std::vector<Incoming> wanted;
    size_t i = 0;
    for (int r = 0; r < p.count(); ++r)
      for (int piece = 0; piece < 2 && r != p.rank(); ++piece, ++i) {
        mine.push_back({r, std::as_bytes(std::span(texts[i]))});
        wanted.push_back({r, std::as_writable_bytes(std::span(got[i]))});
      }
    p.exchange(mine, wanted);
    right &= got == want;
    const std::string own = said(p.rank(), 0, round);
    const auto all = p.gather_all(std::as_bytes(std::span(own)));
    right &= static_cast<int>(all.size()) == p.count();
    for (int r = 0; r < p.count(); ++r) {
      const std::string theirs = said(r, 0, round);
      const auto& have = all[static_cast<size_t>(r)];
      right &= std::ranges::equal(have, std::as_bytes(std::span(theirs)));
    }
  }
  return right;
}
