"""What the client raises on purpose; each message is one line for people.

ClientError
├── NotFound        there is no vfxgan command
├── WrongVersion    there is one that this client does not understand
└── Withdrawn       a question was cancelled by whoever asked
"""


class ClientError(Exception):
    """The vfxgan command could not be used, or said why it failed."""


class NotFound(ClientError):
    """There is no vfxgan command where it was looked for."""


class WrongVersion(ClientError):
    """The vfxgan command is not one that this client understands."""


class Withdrawn(ClientError):
    """A question was cancelled before it was answered. Who asked knows; there is nothing to show."""
