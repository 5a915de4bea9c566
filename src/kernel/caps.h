/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities: names, and the five sets of the calling thread by the bare system calls (five
 * calls do not warrant a library). Sets are masks: bit n is capability n. Functions return 0 or a
 * negative errno and are safe after clone. */
#ifndef KOGGE_KERNEL_CAPS_H
#define KOGGE_KERNEL_CAPS_H

#include "base/macro.h"

#define CAPS_N         41 /* capabilities that we know by name (base/cap-names.h) */
#define CAPS_ALL       ((UINT64_C(1) << CAPS_N) - 1)
#define CAPS_BIT(cap)  (UINT64_C(1) << (cap))
#define CAPS_NAME_SIZE 32

/* The number of a capability: "CAP_" may be left out, letters in either case. -EINVAL. */
int cap_number(const char *name);

/* "CAP_CHOWN" for 0; NULL for a number that we have no name for. */
const char *cap_name(unsigned cap);

/* The mask of a name as docker's --cap-add takes it: as cap_number, or "ALL". 0 or -EINVAL. */
int caps_parse(const char *name, uint64_t *ret);

/* The highest capability that the running kernel knows. */
int caps_last(void);

/* The five sets of a thread. */
struct caps {
	uint64_t bounding;
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
	uint64_t ambient;
};

/* Reads the calling thread's sets: some 80 system calls, one for each capability and set that
 * capget does not know. */
int caps_get(struct caps *ret);

/* The permitted set alone, by one call. */
int caps_get_permitted(uint64_t *ret);

/* Drops every capability that is not in KEEP from the bounding set. Needs CAP_SETPCAP. */
int caps_limit_bounding(uint64_t keep);

/* Sets effective, permitted and inheritable at once; what the kernel does not know is left out. */
int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable);

/* Makes the ambient set AMBIENT, without those that are not permitted and inheritable: the kernel
 * refuses them, and runc, whose `spec` writes such sets, leaves them out. */
int caps_set_ambient(uint64_t ambient);

/* PR_SET_KEEPCAPS: keeps the permitted set over the setuid that leaves uid 0; execve clears it. */
int caps_keep(bool on);

/* Takes the whole of C in the right order: bounding, the three sets, ambient. The bounding set
 * needs CAP_SETPCAP in the current effective set. */
int caps_apply(const struct caps *c);

#endif
