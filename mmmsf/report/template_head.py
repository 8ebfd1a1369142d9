"""Head of the HTML pages: security policy and style, a Jinja2 template.

It reads ``title``, ``classes`` (a list) and ``attention`` (True for wide shots).
"""

HEAD = r"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 14px/1.45 system-ui, sans-serif; color: #1b1b1b; margin: 0 auto; padding: 0 20px 60px;
  max-width: 1240px; }
h1 { font-size: 22px; margin: 18px 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 30px 0 6px; padding-top: 8px; border-top: 1px solid #ddd; }
h3 { font-size: 14px; margin: 14px 0 4px; overflow-wrap: anywhere; }
p { margin: 4px 0 8px; max-width: 900px; } .note { color: #555; font-size: 13px; }
.top { position: sticky; top: 0; background: #fff; z-index: 2; padding: 6px 0;
  border-bottom: 1px solid #ddd; }
.top p { margin: 0 0 2px; max-width: none; } h2, .panel { scroll-margin-top: 60px; }
nav a { margin-right: 14px; } a { color: #0b57a4; text-decoration: none; }
a:hover { text-decoration: underline; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 9px; text-align: right; border-bottom: 1px solid #e6e6e6; }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; max-width: 260px; }
thead th { background: #f4f5f7; vertical-align: bottom; }
.scroll { overflow: auto; max-height: 560px; border: 1px solid #e0e0e0; display: inline-block;
  max-width: 100%; }
.scroll thead th { position: sticky; top: 0; }
.sortable th { cursor: pointer; } .sortable th:hover { background: #e6e9ee; }
th[data-order="1"]::after { content: " \25B2"; } th[data-order="-1"]::after { content: " \25BC"; }
.key i { display: inline-block; width: 12px; height: 12px; margin: 0 5px 0 14px;
  vertical-align: -1px; border-radius: 2px; }
.key i:first-child { margin-left: 0; }
.wide { max-width: 100%; height: auto; }
.map { width: {{ 560 if classes | length <= 20 else 1040 }}px; max-width: 100%;
  aspect-ratio: 100 / 92; }
.grid { display: flex; flex-wrap: wrap; gap: 10px; }
.panel, .shot { border: 1px solid #e2e2e2; border-radius: 4px; padding: 6px; background: #fff; }
.panel { width: 360px; } .panel img { width: 100%; display: block; aspect-ratio: 36 / 17; }
.panel:target { outline: 2px solid #0b57a4; }
.shot { width: {{ 316 if attention else 152 }}px; font-size: 12px; overflow-wrap: anywhere; }
.shot img { vertical-align: top; } .shot b { display: block; }
.shot .path { color: #666; font-size: 11px; }
.none { height: 90px; width: 150px; background: #eee; color: #777; display: flex;
  align-items: center; justify-content: center; text-align: center; }
.up { color: #00703c; } .down { color: #b3261e; }
input { font: inherit; padding: 3px 6px; }
</style>
</head>
"""
