/* SPDX-License-Identifier: Apache-2.0 */
/* The device list of a cgroup of version 2 as an eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE). */
#ifndef KOGGE_KERNEL_CGROUP_DEVICES_H
#define KOGGE_KERNEL_CGROUP_DEVICES_H

#include "kernel/cgroup.h"

struct bpf_insn;

#define CGROUP_DEVICES_MAX 1024

/* Generates the program: the last rule that matches decides, no rule means no. An allow rule
 * matches an access that it allows as a whole, a deny rule one of which it denies any part.
 * Returns the number of instructions, or -E2BIG, -EINVAL, -ENOMEM; *RET is heap memory owned by
 * the caller. */
int cgroup_device_program(const struct cgroup_device *rules, size_t n, struct bpf_insn **ret);

#endif
