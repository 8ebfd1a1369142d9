"""Jinja2 template of the report page; every value is escaped."""

TEMPLATE = r"""<!DOCTYPE html>
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
<body>
<h1>{{ title }}</h1>
<p>{{ images }} images, {{ classes | length }} classes, {{ positives }} labels
({{ '%.2f' | format(positives / images) }} an image){% if ignored %}; {{ ignored }} (image, class)
pairs are ignored{% endif %}. Rates are in percent where not said otherwise.</p>
<div class="top">
<p class="key">{% for run in runs %}<i style="background:{{ run.color }}"></i>{{ run.name
}}{% endfor %}</p>
<nav><a href="#summary">Summary</a>{% if difference %}<a href="#difference">Difference</a>{% endif
%}<a href="#classes">Classes</a><a href="#curves">Curves</a><a href="#sizes">Sizes</a><a
href="#calibration">Calibration</a><a href="#pairs">Co-occurrence</a><a
href="#mistakes">Mistakes</a></nav></div>

<h2 id="summary">Summary</h2>
<table><thead><tr><th></th>{% for run in runs %}<th>{{ run.name }}</th>{% endfor
%}{% if runs | length == 2 %}<th>difference</th>{% endif %}</tr></thead><tbody>
{% for row in summary %}<tr><td>{{ row.label }}</td>{% for cell in row.cells %}<td>{{ cell }}</td>{%
endfor %}{% if runs | length == 2 %}<td class="{{ row.sign }}">{{ row.change }}</td>{% endif %}</tr>
{% endfor %}</tbody></table>
<p class="note">CP, CR, CF1: means over the classes; OP, OR, OF1: over all decisions together.
“At best F1” decides each class at its own threshold of the highest F1, found on the same
images, so it is an upper bound and not a result. mAP is the area under the curve without
interpolation, mAP_voc that under its monotone envelope (PASCAL VOC 2010 and later).</p>
{% for note in notes %}<p class="note">{{ note }}</p>{% endfor %}

{% if difference %}<h2 id="difference">Difference of AP by class</h2>
<p class="note">Points of AP against {{ runs[0].name }}. Click a column to sort.</p>
<div class="scroll"><table class="sortable"><thead><tr><th>class</th>{% for run in runs
%}<th>{{ run.name }}</th>{% endfor %}{% for run in runs[1:] %}<th>change of {{ run.name }}</th>{%
endfor %}</tr></thead><tbody>
{% for row in difference %}<tr><td>{{ row.label }}</td>{% for cell in row.cells
%}<td>{{ cell }}</td>{% endfor %}{% for cell in row.changes
%}<td class="{{ cell.sign }}">{{ cell.text }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>{% endif %}

<h2 id="classes">Classes</h2>
{% for run in runs %}<h3>{{ run.name }}</h3>
<div class="scroll"><table class="sortable"><thead><tr>{% for head in run.columns
%}<th>{{ head }}</th>{% endfor %}</tr></thead><tbody>
{% for row in run.rows %}<tr><td>{% if row.panel %}<a href="#c{{ row.index }}">{{ row.label
}}</a>{% else %}{{ row.label }}{% endif %}</td>{% for cell in row.cells %}<td>{{ cell }}</td>{%
endfor %}</tr>
{% endfor %}</tbody></table></div>{% endfor %}
<p class="note">Sorted by AP; click a column to sort by it. Precision, recall, predicted and
correct are at a score of 0.5; thr is the threshold of the best F1.</p>

{% for run in runs %}{% if run.groups %}{% if loop.first %}<h2 id="groups">Exclusive groups</h2>
<p class="note">Of a group exactly one class holds, or at most one. Accuracy: images with the right
outcome; mean F1: over the classes that occur. At a score of 0.5.</p>{% endif %}
<h3>{{ run.name }}</h3>
<table><thead><tr>{% for head in run.groups[0] %}<th>{{ head }}</th>{% endfor %}</tr></thead><tbody>
{% for row in run.groups[1:] %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>{% endif %}{% endfor %}

<h2 id="curves">Precision, recall and F1</h2>
<img class="wide" src="{{ overall }}" alt="precision over recall, F1 over threshold">
<h3>By class</h3>
<p><input id="filter" type="search" placeholder="show classes with …" autocomplete="off"></p>
{% if hidden_panels %}<p class="note">Only the {{ panels | length }} classes with the most
positives are drawn; {{ hidden_panels }} are left out.</p>{% endif %}
<div class="grid" id="panels">
{% for panel in panels %}<div class="panel" id="c{{ panel.index }}"><b>{{ panel.label }}</b>
<span class="note">{{ panel.text }}</span>
<img loading="lazy" src="{{ panel.picture }}" alt=""></div>
{% endfor %}</div>

<h2 id="sizes">AP by object size</h2>
{% if sizes %}<img class="wide" src="{{ sizes }}" alt="mAP of small, medium and large objects">
<p class="note">The positives of a size are the images whose largest object of the class has it;
the negatives are all images without the class. A dash: no label of that size.</p>{% else
%}<p>The predictions have no object sizes.</p>{% endif %}

<h2 id="calibration">Calibration</h2>
<img class="wide" src="{{ calibration }}" alt="reliability curve">
<table><thead><tr><th></th><th>ECE</th><th>mean of the classes' ECE</th></tr></thead><tbody>
{% for run in runs %}<tr><td>{{ run.name }}</td><td>{{ run.ece }}</td><td>{{ run.classwise_ece
}}</td></tr>{% endfor %}</tbody></table>
<p class="note">ECE: the mean distance between score and frequency, in points of percent, over 15
bins of equal width that hold all valid (image, class) pairs, weighted by their counts. Most pairs
are easy negatives, which keeps it low; the second column gives every class the same weight.</p>

<h2 id="pairs">Label co-occurrence</h2>
<p class="note">Of the images with the row's class, the share that have the column's class too.
Predictions are decided at each class's best F1. In the difference (prediction less truth) red
means predicted together too often.</p>
<div class="grid"><div><h3>truth</h3><img class="map" loading="lazy" src="{{ truth_pairs }}"
alt="co-occurrence of the truth"></div>
{% for run in runs %}<div><h3>{{ run.name }}</h3><img class="map" loading="lazy"
src="{{ run.pairs }}" alt="co-occurrence of the predictions"></div>
<div><h3>{{ run.name }} less truth</h3><img class="map" loading="lazy"
src="{{ run.pair_difference }}" alt="difference"></div>{% endfor %}</div>

<h2 id="mistakes">Most confident mistakes</h2>
<p class="note">At each class's threshold of the best F1, a few of each class. Wrong labels of
the data set often appear here.{% if attention %} The right picture shows the attention of the
class.{% endif %}</p>
{% for run in runs %}{% for group in run.mistakes %}<h3>{{ run.name }}: {{ group.label }}</h3>
<div class="grid">{% for shot in group.shots %}<div class="shot">{% if shot.picture %}<img
src="{{ shot.picture }}" alt="">{% if shot.attention %} <img
src="{{ shot.attention }}" alt="attention">{% endif %}{% else %}<div class="none">image not
readable</div>{% endif %}<b>{{ shot.label }}</b>score {{ shot.score }}, threshold {{
shot.threshold }}<br><span class="note">true: {{ shot.truth }}</span><br><span class="path"
title="{{ shot.path }}">{{ shot.file }}</span></div>
{% else %}<p>none</p>{% endfor %}</div>{% endfor %}{% endfor %}
<script>
document.querySelectorAll('table.sortable th').forEach(function (head) {
  head.addEventListener('click', function () {
    var order = head.dataset.order === '-1' ? 1 : -1, at = head.cellIndex;
    var body = head.closest('table').tBodies[0];
    head.parentNode.querySelectorAll('th').forEach(function (h) { delete h.dataset.order; });
    head.dataset.order = order;
    var value = function (row) {
      var text = row.cells[at].textContent;
      var number = parseFloat(text.replace('\u2212', '-'));
      return at === 0 ? text : isNaN(number) ? -Infinity : number;
    };
    Array.from(body.rows).sort(function (a, b) {
      var x = value(a), y = value(b);
      if (at === 0) return -order * x.localeCompare(y, undefined, {numeric: true});
      return x === y ? 0 : order * (x < y ? -1 : 1);
    }).forEach(function (row) { body.appendChild(row); });
  });
});
document.getElementById('filter').addEventListener('input', function () {
  var wanted = this.value.toLowerCase();
  document.querySelectorAll('#panels .panel').forEach(function (panel) {
    var name = panel.querySelector('b').textContent.toLowerCase();
    panel.style.display = name.indexOf(wanted) < 0 ? 'none' : '';
  });
});
</script>
</body>
</html>
"""
