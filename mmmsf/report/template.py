"""Jinja2 template of the report page; every value is escaped."""

from .template_head import HEAD

TEMPLATE = (
    HEAD
    + r"""<body>
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
<table><thead><tr><th></th><th>ECE</th><th>mean of the classes' ECE</th><th>Brier
score</th><th>scores</th></tr></thead><tbody>
{% for run in runs %}<tr><td>{{ run.name }}</td><td>{{ run.ece }}</td><td>{{ run.classwise_ece
}}</td><td>{{ run.brier }}</td><td>{{ 'calibrated' if run.calibrated else 'as trained'
}}</td></tr>{% endfor %}</tbody></table>
<p class="note">ECE: the mean distance between score and frequency, in points of percent, over 15
bins of equal width that hold all valid (image, class) pairs, weighted by their counts. Most pairs
are easy negatives, which keeps it low; the second column gives every class the same weight. Brier
score: the mean squared distance between score and target, in percent.</p>

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
)
