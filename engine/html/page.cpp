// The style sheet, and text made safe.
#include "engine/html/page.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include "engine/text/escape.h"
#include "engine/text/utf8.h"

namespace seqgrad {
namespace {

// Series colours are Okabe and Ito's, which people with any colour blindness tell apart; charts vary dashes and markers
// too. The dark half has their lighter ones.
constexpr std::string_view style = R"css(
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1b1b;--soft:#595959;--rule:#d4d4d4;--panel:#f5f5f3;--heat:#005a93;
--series0:#0072b2;--series1:#c04a00;--series2:#007a58;--series3:#a8487e}
@media(prefers-color-scheme:dark){:root{--paper:#15171a;--ink:#e7e7e4;--soft:#a8a8a4;--rule:#41454a;--panel:#1e2125;--heat:#56b4e9;
--series0:#56b4e9;--series1:#e69f00;--series2:#2fc9a0;--series3:#e79fc6}}
@media print{:root{color-scheme:light;--paper:#fff;--ink:#000;--soft:#444;--rule:#bbb;--panel:#fff;--heat:#005a93;
--series0:#0072b2;--series1:#c04a00;--series2:#007a58;--series3:#a8487e}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:80rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2rem 0 .6rem;padding-bottom:.2rem;border-bottom:1px solid var(--rule)}
h3{font-size:1rem;margin:0 0 .3rem}p{margin:.4rem 0}.soft{color:var(--soft)}
.grid{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr))}
.card{padding:.7rem;border:1px solid var(--rule);border-radius:.4rem;background:var(--panel);min-width:0;break-inside:avoid}
.maps{display:flex;flex-wrap:wrap;gap:1rem}.maps>.card{max-width:100%}
.frame{overflow-x:auto;margin:.4rem 0}
table{border-collapse:collapse;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--rule);overflow-wrap:normal}
th{font-weight:600;color:var(--soft);white-space:nowrap}tr{break-inside:avoid}td{unicode-bidi:isolate}
pre{margin:.4rem 0;padding:.7rem;background:var(--panel);border:1px solid var(--rule);border-radius:.4rem;overflow-x:auto;font-size:.8rem;line-height:1.4}
summary{cursor:pointer}details{margin:.6rem 0}
svg{display:block;overflow:visible}svg text{fill:var(--ink);font:12px system-ui,"DejaVu Sans",sans-serif}
svg.chart{width:100%;height:auto}svg.chart text{fill:var(--soft)}
svg .rule{stroke:var(--rule);stroke-width:1}svg.map text{font-family:ui-monospace,"DejaVu Sans Mono",monospace}
svg.map .cell{fill:var(--heat)}svg.map .back{fill:var(--paper);stroke:var(--rule)}svg.map text.on{fill:var(--paper)}svg.map text.in{font-size:10px}svg.map.dense text.in{font-size:8px}
.s0{--c:var(--series0)}.s1{--c:var(--series1)}.s2{--c:var(--series2)}.s3{--c:var(--series3)}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}.dot{fill:var(--c);stroke:none}
.s1 .line{stroke-dasharray:7 3}.s2 .line{stroke-dasharray:2 3}.s3 .line{stroke-dasharray:9 3 2 3}
.legend{display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;font-size:.85rem;margin-top:.3rem}.legend span{display:inline-flex;align-items:center;gap:.4rem}
@media print{body{max-width:none;padding:0;font-size:10pt}.frame,pre{overflow:visible;white-space:pre-wrap}svg.map{max-width:100%;height:auto}
details::details-content{content-visibility:visible;height:auto}}
)css";

}  // namespace

int64_t text_columns(std::string_view text) {
  int64_t columns = 0;
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const auto lead = static_cast<unsigned char>(text[0]);
    columns += lead >= 0xE3 && length >= 3 ? 2 : 1;  // from U+3000 on: most of them ideographs, kana, Hangul
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return columns;
}

// A script element may hold any text but its own end and the begin of a comment; JSON has '<' in its texts only. DEL is
// no character of HTML.
static std::string inert_json(std::string_view json) {
  std::string out;
  for (const char c : json) c == '<' ? out += "\\u003c" : c == 0x7F ? out += "\\u007f" : out += c;
  return out;
}

std::string page(std::string_view title, std::string_view body, const PageScript& script) {
  // The nonce depends on all that others wrote into the page, so that no text of theirs can hold it.
  const std::string nonce = fmt::format(
      "{:016x}", XXH3_64bits_withSeed(body.data(), body.size(), XXH3_64bits(script.json.data(), script.json.size())));
  std::string policy, scripts;
  if (!script.code.empty()) {
    policy = fmt::format("; script-src 'nonce-{}'", nonce);
    scripts =
        fmt::format("<script type=\"application/json\" id=\"data\">{}</script>\n<script nonce=\"{}\">\n{}</script>\n",
                    inert_json(script.json), nonce, script.code);
  }
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src "
      "data:{}\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"generator\" content=\"seqgrad " SEQGRAD_VERSION
      "\">\n"
      "<link rel=\"icon\" "
      "href=\"data:,\">\n<title>{}</title>\n<style>{}{}</style>\n</head>\n<body>\n{}{}</body>\n</html>\n",
      policy, for_html(title), style, script.style, body, scripts);
}

std::string heading(int level, std::string_view text) {
  return fmt::format("<h{0}>{1}</h{0}>\n", level, for_html(text));
}

std::string paragraph(std::string_view text) { return fmt::format("<p>{}</p>\n", for_html(text)); }

static std::string table_row(const std::vector<std::string>& cells, const char* tag) {
  std::string out = "<tr>";
  for (const std::string& text : cells) out += fmt::format("<{0}>{1}</{0}>", tag, for_html(text));
  return out + "</tr>\n";
}

std::string table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
  std::string out = "<div class=\"frame\"><table>\n";
  if (!header.empty()) out += "<thead>" + table_row(header, "th") + "</thead>\n";
  out += "<tbody>\n";
  for (const auto& row : rows) out += table_row(row, "td");
  return out + "</tbody></table></div>\n";
}

std::string folded(std::string_view summary, std::string_view body) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", for_html(summary), body);
}

std::string preformatted(std::string_view text) { return fmt::format("<pre>{}</pre>\n", for_html(text)); }

}  // namespace seqgrad
