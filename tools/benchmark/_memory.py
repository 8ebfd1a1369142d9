"""Memory and kernel launches of a call."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile


def highest_sum(changes: Iterable[int]) -> int:
    """Compute the highest level that a sequence of changes reaches, starting from 0."""
    level = highest = 0
    for change in changes:
        level += change
        highest = max(highest, level)
    return highest


def _cpu_peak(run: Callable[[], object]) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    results = profiler.profiler.kineto_results
    events = [
        (event.start_ns(), event.nbytes())
        for event in results.events()
        if event.name() == '[memory]' and event.device_type().name == 'CPU'
    ]
    return highest_sum(size for _, size in sorted(events, key=lambda event: event[0]))


def peak_bytes(run: Callable[[], object], device: torch.device | str = 'cpu') -> int:
    """Measure the peak memory of torch's allocator during a call, beyond that held before it.

    Args:
        run: Function to call; call it once before, so that caches are filled.
        device: Device of the memory. On a CPU the allocations are read from the profiler, so memory
            that other libraries allocate is not counted.
    """
    device = torch.device(device)
    if device.type == 'cpu':
        return _cpu_peak(run)
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _bytes_of_storages(tensors: Iterable[Tensor], known: Iterable[Tensor] = ()) -> int:
    """Sum the bytes of the tensors' storages, each once, without those of ``known`` tensors."""
    seen = {tensor.untyped_storage().data_ptr() for tensor in known}
    total = 0
    for tensor in tensors:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            total += storage.nbytes()
    return total


def resident_bytes(module: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> int:
    """Count the bytes of parameters, buffers and optimizer state."""
    tensors = [*module.parameters(), *module.buffers()]
    if optimizer is not None:
        tensors += [
            value
            for state in optimizer.state.values()
            for value in state.values()
            if isinstance(value, Tensor)
        ]
    return _bytes_of_storages(tensors)


def saved_bytes(forward: Callable[[], object], known: Iterable[Tensor] = ()) -> int:
    """Count the bytes that a forward pass keeps for its backward pass.

    Args:
        forward: Forward pass; its result is held until the count is done.
        known: Tensors not to count, such as parameters and inputs.
    """
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)  # held, so that no storage is reused
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        result = forward()
    total = _bytes_of_storages(kept, known)
    del result
    return total


def kernel_launches(run: Callable[[], object]) -> int:
    """Count the kernels that a call launches on the GPU; a replayed graph counts as one."""
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    with profile(activities=activities) as profiler:
        run()
        torch.cuda.synchronize()
    return count_launches(event.name for event in profiler.events() or [])


def count_launches(names: Iterable[str]) -> int:
    """Count the events of a profile that launch work on a GPU (``cudaLaunchKernel``, ...)."""
    starts = ('cudaLaunchKernel', 'cuLaunchKernel', 'cudaGraphLaunch', 'cuGraphLaunch')
    return sum(name.startswith(starts) for name in names)
