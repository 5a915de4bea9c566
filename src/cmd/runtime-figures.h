/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of the verb events, each appended to OUT as a member of runc's JSON (types/events.go)
 * with a comma behind it. What the machine or the cgroup lacks is 0 or left out. */
#ifndef KOGGE_CMD_RUNTIME_FIGURES_H
#define KOGGE_CMD_RUNTIME_FIGURES_H

#include "base/buf.h"
#include "kernel/cgroup.h"

/* "blkio": by device; with version 2 what io.stat has of it. */
void figures_put_blkio(struct buf *out, const struct cgroup *cg);

/* "cpuset": version 1 alone, as with runc. */
void figures_put_cpuset(struct buf *out, const struct cgroup *cg);

/* "hugetlb": by size of page. */
void figures_put_hugetlb(struct buf *out, const struct cgroup *cg);

#endif
