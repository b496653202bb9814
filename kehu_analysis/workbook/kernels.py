"""Kernels that start with their imports done, and are spoken to over sockets that are theirs alone.

A kernel's imports take longer than most chapters' own work. Where the system can fork, one server process imports
once and every kernel is a fork of it; elsewhere kernels start as usual.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, ClassVar

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from kehu_analysis.workbook.chapters import CHAPTERS
from kehu_analysis.workbook.sockets import socket_folder

CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods() and sys.platform.startswith("linux")
#: Name under which pyproject.toml registers the provisioner, and of its processes.
PROVISIONER = "kehu-forked"
_PRELOADED = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",  # a kernel asks for it at its start
    "IPython.extensions.storemagic",
    "kehu_analysis.workbook",
    "pyarrow.parquet",
)
#: Unless it is set the debugger says at its import that nobody could debug the standard library.
_VALIDATION = "PYDEVD_DISABLE_FILE_VALIDATION"


@contextmanager
def kernels(*, preload: bool = True) -> Iterator[dict[str, Any]]:
    """Give the settings with which nbclient starts kernels: over sockets of their own, with their imports done.

    The process that imports stays for further reports and ends with this one; the sockets are gone afterwards.
    ``preload=False`` forks from no such process, for one that runs few notebooks.
    """
    forks = preload and CAN_FORK
    if forks:
        _preload()
    with socket_folder() as folder:
        manager = ForkingKernelManager if forks else OwnSocketsKernelManager
        yield {"kernel_manager_class": type(manager.__name__, (manager,), {"sockets": folder})}


def _preload() -> None:
    context().set_forkserver_preload([*_PRELOADED, *(f"kehu_analysis.{chapter.room}" for chapter in CHAPTERS)])
    # Ctrl-C reaches every process of a terminal; only this one is to act on it, and it ends the others. The tracker
    # comes first, as its start lifts the block.
    resource_tracker.ensure_running()
    before, validation = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,)), os.environ.get(_VALIDATION)
    os.environ[_VALIDATION] = "1"
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.environ.pop(_VALIDATION, None)
        if validation is not None:
            os.environ[_VALIDATION] = validation


@cache
def context() -> ForkServerContext:
    """Return the multiprocessing context whose children are forks of the server."""
    return multiprocessing.get_context("forkserver")


class OwnSocketsKernelManager(AsyncKernelManager):
    """Speak to a kernel over sockets in a folder where there is one, and over TCP elsewhere."""

    sockets: ClassVar[Path | None] = None

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if self.sockets is not None:
            # Ports are found free before they are taken: over TCP two kernels may find the same.
            self.transport, self.ip = "ipc", str(self.sockets / secrets.token_hex(4))


class ForkingKernelManager(OwnSocketsKernelManager):
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
        environment, folder = dict(kwargs.get("env") or os.environ), str(kwargs.get("cwd") or os.getcwd())
        try:
            forked = _Forked(arguments, environment, folder)
        except (OSError, EOFError) as error:  # the server is gone; it is started again when it is next asked
            raise RuntimeError("no kernel was forked") from error
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
