# SPDX-License-Identifier: Apache-2.0
# The unit tests that depend on the kernel: here an older one than most developers have.
cmocka test-base-path
cmocka test-base-process
cmocka test-kernel-mount
cmocka test-kernel-names
cmocka test-kernel-proc
cmocka test-kernel-thread
