"""Arguments of the official scripts, read with their types checked."""

from collections.abc import Collection, Mapping
from typing import Any

from savg_ray.errors import UserError


class OfficialArguments:
    """Arguments of a network, taken one by one; all raise UserError.

    Args:
        network: its name, for sentences.
        config: what was given.
        keys: what the network knows. Names are checked before values: a misspelt one may be why values do not fit.
    """

    def __init__(self, network: str, config: Mapping[str, Any], keys: Collection[str]) -> None:
        self._network = network
        self._config = config
        self._keys = keys
        unknown = ", ".join(sorted(str(key) for key in config if key not in keys))
        if unknown:
            raise UserError(f"The {network} knows no setting called {unknown}: remove or correct it.")

    def value(self, key: str, otherwise: Any) -> Any:
        """The argument as it was given."""
        assert key in self._keys, f"{key} is missing in the keys of the {self._network}"
        return self._config.get(key, otherwise)

    def share(self, key: str, otherwise: float) -> float:
        """A number from 0 to below 1."""
        value = self.value(key, otherwise)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise UserError(f"{key} of the {self._network} must be a number from 0 to below 1, not {value!r}.")
        return float(value)

    def integer(self, key: str, otherwise: int) -> int:
        """A whole number."""
        value = self.value(key, otherwise)
        if isinstance(value, bool) or not isinstance(value, int):
            raise UserError(f"{key} of the {self._network} must be a whole number, not {value!r}.")
        return value

    def flag(self, key: str, otherwise: bool) -> bool:
        """True or false."""
        value = self.value(key, otherwise)
        if not isinstance(value, bool):
            raise UserError(f"{key} of the {self._network} must be true or false, not {value!r}.")
        return value

    def integers(self, key: str, otherwise: tuple[int, ...], count: int | None = None) -> tuple[int, ...]:
        """From "2,4,8" or [2, 4, 8], ``count`` of them where given; "" and -1 stand for none."""
        value = self.value(key, otherwise)
        parts = value.split(",") if isinstance(value, str) else value
        try:
            numbers = tuple(int(part) for part in parts if part != "")
        except (TypeError, ValueError):
            raise UserError(f"{key} of the {self._network} must look like 2,4,8, not {value!r}.") from None
        numbers = tuple(number for number in numbers if number != -1)
        if count is not None and len(numbers) != count:
            raise UserError(f"{key} of the {self._network} must have {count} numbers, not {value!r}.")
        return numbers

    def only(self, key: str, *allowed: Any) -> None:
        """Refuses what the network has no code for."""
        value = self.value(key, allowed[0])
        if value not in allowed:
            raise UserError(f"{key} of the {self._network} can only be {allowed[0]!r}, not {value!r}: change it.")
