/* SPDX-License-Identifier: Apache-2.0 */
/* What proc.c and proc-info.c share. */
#ifndef KOGGE_KERNEL_PROC_INTERNAL_H
#define KOGGE_KERNEL_PROC_INTERNAL_H

/* Opens the file of a sysctl by its name. */
int proc_sysctl_open(int proc, const char *name, int oflags);

#endif
