import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Threads that wait for each other on a shared machine take twenty times as long for tensors this small."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
