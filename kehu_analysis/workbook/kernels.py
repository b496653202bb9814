"""Kernels that start with their imports done.

A kernel's imports take longer than most chapters' own work. Where the system can fork, one server process imports
once and every kernel is a fork of it; elsewhere kernels start as usual.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from functools import cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from kehu_analysis.workbook.chapters import CHAPTERS

CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods() and sys.platform.startswith("linux")
#: Name under which pyproject.toml registers the provisioner, and of its processes.
PROVISIONER = "kehu-forked"
_PRELOADED = ("ipykernel.kernelapp", "kehu_analysis.workbook", "pyarrow.parquet")


def preload_kernels() -> dict[str, Any]:
    """Start importing, and return the settings with which nbclient forks its kernels from the result.

    The server stays for further reports of the same process and ends with it.
    """
    if not CAN_FORK:
        return {}
    context().set_forkserver_preload([*_PRELOADED, *(f"kehu_analysis.{chapter.room}" for chapter in CHAPTERS)])
    # Ctrl-C reaches every process of a terminal; only this one is to act on it, and it ends the others. The tracker
    # comes first, as its start lifts the block.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return {"kernel_manager_class": ForkingKernelManager}


@cache
def context() -> ForkServerContext:
    """Return the multiprocessing context whose children are forks of the server."""
    return multiprocessing.get_context("forkserver")


class ForkingKernelManager(AsyncKernelManager):
    """Start any kernel through :class:`ForkedKernel`."""

    @property
    def kernel_spec(self) -> KernelSpec | None:
        """The ordinary kernel spec, with our provisioner named in it."""
        spec = super().kernel_spec
        if spec is not None:
            spec.metadata = {**spec.metadata, "kernel_provisioner": {"provisioner_name": PROVISIONER}}
        return spec


class ForkedKernel(LocalProvisioner):
    """A kernel process forked from the server instead of started anew."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel; ``cmd`` is ``python -m ipykernel_launcher -f FILE …``."""
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        forked = _Forked(arguments, dict(kwargs.get("env") or os.environ), str(kwargs.get("cwd") or os.getcwd()))
        self.process, self.pid = forked, forked.pid  # type: ignore[assignment]
        return self.connection_info


class _Forked:
    """What :class:`LocalProvisioner` asks of a process, of a forked one."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: str) -> None:
        self._process: ForkServerProcess = context().Process(
            target=_serve, args=(arguments, environment, folder), name=PROVISIONER, daemon=True
        )
        self._process.start()
        self.pid = self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def end_kernels() -> None:
    """End every forked kernel at once: what waits for one learns that it died."""
    for process in context().active_children() if CAN_FORK else ():
        if process.name == PROVISIONER:
            process.kill()


def _serve(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    from ipykernel.kernelapp import IPKernelApp

    # The server may end, too: then the kernel ends itself.
    app = IPKernelApp.instance(parent_handle=os.getppid())
    app.initialize(arguments)
    app.start()


def _end_with_parent() -> None:
    # The server outlives whoever started it as long as there is a kernel, so its end is no sign.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)
