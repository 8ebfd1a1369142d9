"""Names that columns of label tables have."""

import re

# Names of columns, in lower case without blanks, "_", "-" and ".".
PATHS = re.compile('(image|img)(path|file|filename|name|id|index)?|file(path|name)?|path')
ONE = re.compile('(label|class|category)(name)?|tag')
SEVERAL = re.compile('(finding)?labels|(label|class|category)names|tags|classes|categories|choices')
CHOICE = re.compile('choice')
VERIFIED = re.compile('verified(labels|classes)')
# Words in the names of columns that are numbers, but no class.
OTHER_WORDS = re.compile(
    'age|sex|gender|fold|split|width|height|id|idx|index|count|number|num|confidence|weight|score|'
    'patient|follow|year|difficult|truncated|occluded|(is)?crowd|group|depiction|inside|source|'
    'verified|unnamed',
    re.IGNORECASE,
)


def plain_name(name: str) -> str:
    """Return the name of a column as the lists above write it."""
    return re.sub(r'[\s_.-]', '', name).lower()


def has_one(name: str) -> bool:
    """Tell if a column of labels holds one label a cell, by its name."""
    return ONE.fullmatch(plain_name(name)) is not None


def has_several(name: str) -> bool:
    """Tell if a column of labels may hold several labels a cell, by its name."""
    return SEVERAL.fullmatch(plain_name(name)) is not None


def is_other(name: str) -> bool:
    """Tell by a word of its name that a column is likely no class."""
    return any(map(OTHER_WORDS.fullmatch, re.findall(r'[A-Z]?[a-z]+|[A-Z]+', name)))
