"""Settings that a task and its network both have a key for."""

from savg_ray.sampling.config import Network


def check_network_keys(network: Network, dropout: float, recompute: bool) -> None:
    """Refuse keys of the network that say something else than the task's own, by which they would be overruled.

    Raises:
        ValueError: names both keys.
    """
    if network == "official":
        return
    for inner, outer, value in (("dropout", "dropout", dropout), ("use_checkpoint", "recompute", recompute)):
        if network.get(inner, value) != value:
            raise ValueError(
                f"task.network.{inner} is {network[inner]} and task.{outer} {value}, but they are the same setting; "
                f"leave task.network.{inner} out"
            )
