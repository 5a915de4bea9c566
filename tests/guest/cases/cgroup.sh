# SPDX-License-Identifier: Apache-2.0
# The unit tests of cgroups and seccomp, where there is only version 2 and another kernel.
cmocka test-kernel-cgroup
cmocka test-kernel-cgroup-devices
cmocka test-runtime-seccomp-default
check "the guest has cgroup v2 alone" sh -c '! grep -v ^0:: /proc/self/cgroup'
check "no cgroup is left by the tests" test ! -d /sys/fs/cgroup/kogge-test
