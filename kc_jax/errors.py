"""What a person can mend: errors that end the command in one line, not in a traceback."""


class UserError(Exception):
    """Names the culprit, what was expected, and the remedy."""
