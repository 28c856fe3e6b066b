"""What can be wrong with what a user gave us, said in one sentence each."""


class UserError(Exception):
    """The whole run cannot go on: its one-sentence message names the file or key and the remedy (exit code 2)."""


class DeviceLost(UserError):
    """The GPU fails at everything from now on; a process of its own may get it to work again."""


class ClipError(Exception):
    """One clip cannot be used; the run goes on without it.

    Args:
        reason: short stable identifier such as ``"no_audio"``, written to ``clips.parquet``.
        message: one sentence for people that names what is wrong and what would mend it.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return self.message
