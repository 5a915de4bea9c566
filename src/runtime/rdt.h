/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of cache and memory bandwidth (linux.intelRdt): a directory of the kernel's resctrl file
 * system is a class of service, its file `tasks` has who is in it, `schemata` what it may use. */
#ifndef KOGGE_RUNTIME_RDT_H
#define KOGGE_RUNTIME_RDT_H

#include "base/err.h"
#include "oci/runtime-config.h"

#include <sys/types.h>

/* The name of the container's class: closID, else ID. NULL where R asks for nothing. */
const char *runtime_rdt_class(const struct oci_linux *l, const char *id);

/* Opens the file system. ERR_UNSUPPORTED where the machine has none, or where it is not mounted. */
int runtime_rdt_open(struct err *e);

/* Makes the class NAME below ROOT, or takes that which is there where closID names it, and writes
 * its schemata. ERR_NOT_FOUND where closID names none and there is nothing to write. */
int runtime_rdt_make(int root, const struct oci_intel_rdt *r, const char *name, struct err *e);

/* Puts the process PID (of one thread) into the class. */
int runtime_rdt_join(int root, const char *name, pid_t pid, struct err *e);

/* Removes the class; who is in it falls back to that of all. An absent one is no error. */
int runtime_rdt_remove(int root, const char *name, struct err *e);

#endif
