"""Names from data, made safe to look at."""

_JOINERS = '\u200c\u200d'  # invisible, but spelling needs them in some scripts


def printable(text: object) -> str:
    """``text`` with its control, format and other invisible characters written as escapes.

    So a name cannot move the cursor, turn the writing direction or hide a part of itself. It does
    not escape HTML.
    """
    return ''.join(
        char
        if char.isprintable() or char in _JOINERS
        else char.encode('unicode_escape', 'surrogatepass').decode('ascii')
        for char in str(text)
    )
