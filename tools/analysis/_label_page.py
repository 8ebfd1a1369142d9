"""HTML page of suspect labels for a reviewer: a self-contained file of thumbnails."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

import numpy as np
from _suspects import Suspect
from jinja2 import Environment, StrictUndefined

from mmmsf.evaluation import Predictions
from mmmsf.report.examples import Explain, make_example
from mmmsf.report.tables import format_number
from mmmsf.report.template_head import HEAD
from mmmsf.utils.printable import printable

PAGE = (
    HEAD
    + r"""<body>
<h1>{{ title }}</h1>
<p>The {{ shots | length }} first of {{ count }} suspect labels, the most likely wrong one first.
Write <b>yes</b> (follow the suggestion), <b>no</b> or <b>unsure</b> into the column “verdict” of
{{ table }}; correct_labels.py makes a label file of it.{% if attention %} The right picture shows
the attention of the class, by the model that has not seen the image.{% endif %}</p>
<p class="note">Score: of the model that has not seen the image. Likelihood: that the label is
wrong, if {{ share }} % of the marks are false and as many are missing.</p>
<p><input id="filter" type="search" placeholder="show rows with …" autocomplete="off"></p>
<div class="grid" id="shots">
{% for shot in shots %}<div class="shot">{% if shot.picture %}<img src="{{ shot.picture }}"
alt="">{% if shot.attention %} <img src="{{ shot.attention }}" alt="attention">{% endif %}{% else
%}<div class="none">image not readable</div>{% endif %}<b>{{ shot.rank }}. <span
class="{{ shot.sign }}">{{ shot.suggestion }} {{ shot.label }}</span></b>score {{ shot.score
}}, likelihood {{ shot.likelihood }}<br><span class="note">marked: {{ shot.marked }}</span><br><span
class="path" title="{{ shot.path }}">{{ shot.file }}</span></div>
{% endfor %}</div>
<script>
document.getElementById('filter').addEventListener('input', function () {
  var wanted = this.value.toLowerCase();
  document.querySelectorAll('#shots .shot').forEach(function (shot) {
    shot.style.display = shot.textContent.toLowerCase().indexOf(wanted) < 0 ? 'none' : '';
  });
});
</script>
</body>
</html>
"""
)


def build_label_page(
    suspects: Sequence[Suspect],
    count: int,
    predictions: Predictions,
    images: Sequence[str],
    table: str,
    share: float,
    explain_of: Callable[[int], Explain | None] = lambda row: None,
) -> str:
    """Build the page.

    Args:
        suspects: Pairs to show.
        count: Length of the whole list.
        predictions: Scores and labels of all N images, with the paths of their files.
        images: Paths of the N images as the suspects have them.
        table: Name of the table, for the instructions.
        share: Assumed share of wrong labels.
        explain_of: Function from the row of an image to the one that draws the attention of a class
            over it, if any.

    Returns:
        HTML that needs no other file and no network. Text from the data is escaped.
    """
    classes = [printable(name) for name in predictions.classes]
    row_of = {name: i for i, name in enumerate(images)}
    column_of = {str(name): k for k, name in enumerate(predictions.classes)}
    shots = []
    for suspect in suspects:
        i, k = row_of[suspect.image], column_of[suspect.class_name]
        example = make_example(str(predictions.names[i]), i, k, suspect.score, None, explain_of(i))
        marked = [classes[j] for j in np.flatnonzero(predictions.targets[i] == 1).tolist()]
        shots.append(
            dict(
                picture=example.picture,
                attention=example.attention,
                rank=suspect.rank,
                suggestion=suspect.suggestion,
                sign='up' if suspect.suggestion == 'add' else 'down',
                label=classes[k],
                score=format_number(suspect.score, 3),
                likelihood=format_number(suspect.likelihood, 3),
                marked=', '.join(marked) or 'none',
                path=printable(suspect.image),
                file=printable(PurePath(suspect.image).name),
            )
        )
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    return template.render(
        title='Suspect labels',
        classes=classes,
        attention=any(shot['attention'] for shot in shots),
        shots=shots,
        count=count,
        table=printable(Path(table).name),
        share=f'{100 * share:g}',
    )
