#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command as on an old kernel: openat2, clone3 and the new mount calls give ENOSYS, by a
seccomp filter that everything below inherits.

    old_kernel.py COMMAND [ARGUMENT]...
"""
import ctypes
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
AUDIT_ARCH_X86_64 = 0xC000003E
ENOSYS = 38
# The same numbers on all architectures.
DENIED = {"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
          "clone3": 435, "openat2": 437, "mount_setattr": 442, "open_tree_attr": 467}
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def missing():
    """Why this cannot be used here, or None."""
    return None if platform.machine() == "x86_64" else "the filter is written for x86-64"


def program():
    """The filter's instructions; other architectures of the machine pass."""
    def op(code, value, jt=0, jf=0):
        return struct.pack("HBBI", code, jt, jf, value)
    n = len(DENIED)
    return b"".join([op(LOAD, 4), op(JUMP_EQUAL, AUDIT_ARCH_X86_64, 0, n + 1), op(LOAD, 0),
                     *(op(JUMP_EQUAL, number, n - i, 0) for i, number in enumerate(DENIED.values())),
                     op(RETURN, ALLOW), op(RETURN, ERRNO | ENOSYS)])


def install():
    libc = ctypes.CDLL(None, use_errno=True)
    code = program()
    memory = ctypes.create_string_buffer(code, len(code))
    fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(memory)))
    if os.geteuid() != 0 and libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, fprog, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    install()
    os.execvp(sys.argv[1], sys.argv[1:])
