"""Run a network once on zeros: ``python onnx_example.py FILE BYTES``, in a process that may die of it.

It is run by its path and imports nothing of polynya, so that it starts soon.
"""

from __future__ import annotations

import contextlib
import sys


def run(path: str, most_memory: int) -> None:
    """Open a network and run it on zeros of a small size.

    Parameters
    ----------
    path : str
        The ONNX file.
    most_memory : int
        Bytes of address space that this process may take from now on.
    """
    import numpy as np
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    with contextlib.suppress(ImportError, ValueError, OSError):  # no limits on this system
        import resource

        with open("/proc/self/statm") as file:
            most = int(file.read().split()[0]) * resource.getpagesize() + most_memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()
    if len(inputs) != 1:
        return  # who reads the description says so
    shape = [d if isinstance(d, int) else 1 if k == 0 else 64 for k, d in enumerate(inputs[0].shape)]
    # An example of another size than the network takes is no mistake of the file; memory that runs out is.
    with contextlib.suppress(states.InvalidArgument, states.RuntimeException):
        session.run(None, {inputs[0].name: np.zeros(shape, np.float32)})


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
