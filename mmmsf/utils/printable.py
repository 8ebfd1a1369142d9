"""Names from data, sanitized for output."""

_JOINERS = '\u200c\u200d'  # invisible, but part of the spelling in some scripts


def printable(text: object) -> str:
    """Escape the control, format and other invisible characters of ``text``.

    The result cannot move the cursor, change the writing direction or hide a part of itself. HTML
    is not escaped.
    """
    return ''.join(
        char
        if char.isprintable() or char in _JOINERS
        else char.encode('unicode_escape', 'surrogatepass').decode('ascii')
        for char in str(text)
    )
