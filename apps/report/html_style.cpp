// The report's style sheet: one set of colours for light, one for dark, taken from the reader's system.
#include "apps/report/html_page.h"

namespace gf {

const char* html_style() {
  return R"css(
:root { color-scheme: light dark;
  --page:#f5f6f8; --card:#ffffff; --ink:#1b2330; --muted:#5c6878; --line:#dfe4ea; --grid:#e6eaef; --axis:#9aa5b3;
  --soft:#f0f3f6; --accent:#0b63a5; --good:#0b7a4b; --bad:#b4371d; --warn-bg:#fff6e0; --warn-line:#e0b64d;
  --s0:#0072b2; --s1:#d55e00; --s2:#009e73; --s3:#c4649a; --s4:#d99000; --s5:#3d9fd6; --s6:#882255; --s7:#666666; }
@media (prefers-color-scheme: dark) { :root {
  --page:#10151c; --card:#182029; --ink:#e6ebf1; --muted:#9aa8b8; --line:#2b3643; --grid:#27313d; --axis:#5d6b7b;
  --soft:#1f2934; --accent:#6cb8f0; --good:#4fcf98; --bad:#ff8a6e; --warn-bg:#2f2813; --warn-line:#8f742b;
  --s0:#56a8e8; --s1:#ff8a4c; --s2:#3ecfa0; --s3:#e79ac5; --s4:#f3b640; --s5:#8fd0f5; --s6:#d0709c; --s7:#a5adb7; } }
* { box-sizing:border-box; }
body { margin:0; background:var(--page); color:var(--ink); font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
  "Helvetica Neue",Arial,sans-serif; }
main { max-width:1120px; margin:0 auto; padding:2.5rem 1.25rem 4rem; }
h1 { font-size:2rem; line-height:1.2; margin:0 0 .35rem; letter-spacing:-.02em; }
h2 { font-size:1.25rem; margin:2.75rem 0 .85rem; letter-spacing:-.01em; }
h3 { font-size:1rem; margin:1.4rem 0 .5rem; }
h1, h2, h3 { overflow-wrap:anywhere; }
p { margin:.4rem 0; } .muted { color:var(--muted); } .small { font-size:.86rem; }
.lead { font-size:1.1rem; color:var(--muted); }
ul.notes { margin:.9rem 0 0; padding-left:1.15rem; color:var(--muted); max-width:78ch; overflow-wrap:anywhere; }
.card { background:var(--card); border:1px solid var(--line); border-radius:12px; padding:1rem 1.15rem; }
.figures { display:grid; grid-template-columns:repeat(auto-fit,minmax(190px,1fr)); gap:.9rem; margin-top:1.6rem; }
.figures .name { font-size:.86rem; color:var(--muted); display:flex; align-items:center; gap:.45rem; }
.figures .value { font-size:2rem; line-height:1.25; font-weight:650; font-variant-numeric:tabular-nums; letter-spacing:-.02em; }
.dot { display:inline-block; width:.7rem; height:.7rem; border-radius:50%; flex:none; }
.warnings { background:var(--warn-bg); border:1px solid var(--warn-line); border-radius:12px; padding:.8rem 1.15rem; margin-top:1.3rem; }
.warnings ul { margin:.2rem 0 0; padding-left:1.15rem; overflow-wrap:anywhere; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums; font-size:.94rem; }
th, td { padding:.5rem .6rem; text-align:right; border-bottom:1px solid var(--line); white-space:nowrap; }
th { font-weight:600; color:var(--muted); font-size:.83rem; vertical-align:bottom; }
th:first-child, td:first-child { text-align:left; }
tbody th { color:var(--ink); font-size:.94rem; vertical-align:middle; }
tbody tr:last-child th, tbody tr:last-child td { border-bottom:0; }
td.mean, th.mean { font-weight:650; background:var(--soft); }
tr.reference th, tr.reference td { color:var(--muted); font-style:italic; font-weight:400; }
td .gain { display:block; font-size:.76rem; line-height:1.2; font-weight:400; }
.up { color:var(--good); } .down { color:var(--bad); }
.role { color:var(--muted); font-weight:400; font-size:.83rem; display:block; line-height:1.2; }
.plots { display:grid; grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr)); gap:.9rem; }
svg { display:block; width:100%; height:auto; } .wide svg { min-width:640px; } .plots svg { min-width:300px; }
.stack > * + * { margin-top:.9rem; }
.cases { display:grid; gap:.55rem .7rem; align-items:start; }
.cases figure { margin:0; } .cases img { display:block; width:100%; border-radius:8px; background:#000; }
.cases figcaption { font-size:.8rem; color:var(--muted); text-align:center; padding-top:.2rem; font-variant-numeric:tabular-nums; }
.cases .head { font-weight:600; font-size:.86rem; color:var(--muted); text-align:center; }
.cases .case { font-size:.86rem; font-weight:600; align-self:center; overflow-wrap:anywhere; }
.thumbs { display:grid; grid-template-columns:repeat(auto-fill,minmax(130px,1fr)); gap:.8rem; align-items:start; }
.thumbs figure { margin:0; } .thumbs img { display:block; width:100%; border-radius:8px; background:#000; image-rendering:auto; }
.thumbs figcaption { font-size:.8rem; color:var(--muted); padding-top:.2rem; overflow-wrap:anywhere; line-height:1.35; }
.gallery { display:grid; grid-template-columns:repeat(auto-fill,minmax(min(100%,270px),1fr)); gap:.8rem; align-items:start; }
.gallery figure { margin:0; } .gallery img { display:block; width:100%; border-radius:8px; background:#000; }
.gallery figcaption { font-size:.84rem; padding-top:.25rem; overflow-wrap:anywhere; line-height:1.35; font-variant-numeric:tabular-nums; }
.facts td { text-align:left; white-space:normal; overflow-wrap:anywhere; } .facts tbody th { min-width:0; vertical-align:top; }
.card > h3:first-child { margin-top:0; } .ring { border:1px solid var(--axis); }
ul.findings { margin:.2rem 0 0; padding-left:1.15rem; font-size:.92rem; } .findings li { overflow-wrap:anywhere; margin:.15rem 0; }
.legend { display:flex; flex-wrap:wrap; gap:.3rem 1.1rem; margin-top:.9rem; font-size:.86rem; }
.legend span { display:inline-flex; align-items:center; gap:.4rem; }
details { background:var(--card); border:1px solid var(--line); border-radius:12px; margin-top:.7rem; }
summary { cursor:pointer; padding:.7rem 1.15rem; font-weight:600; }
pre { margin:0; padding:.2rem 1.15rem 1rem; overflow-x:auto; font:.82rem/1.5 ui-monospace,"Cascadia Mono",Menlo,Consolas,monospace; }
footer { margin-top:3rem; padding-top:1rem; border-top:1px solid var(--line); color:var(--muted); font-size:.86rem; }
@media (max-width:600px) { main { padding-top:1.5rem; } h1 { font-size:1.5rem; } .card { padding:.8rem; } .figures .value { font-size:1.6rem; }
  .figures { grid-template-columns:repeat(auto-fit,minmax(150px,1fr)); } tbody th { white-space:normal; min-width:8rem; } .facts tbody th { min-width:0; } }
@media print { :root { --page:#fff; } .card, details { break-inside:avoid; } }
)css";
}

}  // namespace gf
