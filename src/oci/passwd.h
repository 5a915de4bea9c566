/* SPDX-License-Identifier: Apache-2.0 */
/* Who a container's process runs as: "user", "uid", "user:group", "uid:gid" resolved against the
 * container's own /etc/passwd and /etc/group, given as bytes. The rules are those of
 * github.com/moby/sys/user GetExecUser. The files are hostile: they are bounded in size, line
 * length and number of lines, and no libc function (NSS) ever sees them. What looks like a number
 * is a number: it never falls back to a name (CVE-2026-46680), never wraps (CVE-2024-40635). */
#ifndef KOGGE_OCI_PASSWD_H
#define KOGGE_OCI_PASSWD_H

#include "base/err.h"

/* What the caller reads of each file at most (CVE-2025-4437); more is refused as ERR_LIMIT. */
#define PASSWD_SIZE_MAX   ((size_t)10 << 20)
#define PASSWD_LINE_MAX   ((size_t)1 << 20) /* longer lines are skipped */
#define PASSWD_ID_MAX     UINT32_C(2147483647)
#define PASSWD_GROUPS_MAX 65536 /* the kernel's NGROUPS_MAX */

/* The files; NULL and 0 where the container has none. */
struct passwd_files {
	const char *passwd;
	size_t n_passwd;
	const char *group;
	size_t n_group;
};

struct passwd_identity {
	uint32_t uid;
	uint32_t gid;
	uint32_t *gids; /* supplementary, sorted, without doubles, always with gid in it (E22) */
	size_t n_gids;
	char home[4096]; /* "/" where the user has no entry or no absolute home */
	char name[256];  /* "" where the user has no entry */
};

#define PASSWD_IDENTITY_INIT ((struct passwd_identity){.gids = NULL})

void passwd_identity_done(struct passwd_identity *i);

/* Resolves SPEC; NULL or "" is uid 0. GROUP_ADD is a NULL-terminated vector (or NULL) of further
 * groups by name or number (--group-add). A number needs no entry; its gid is then 0. A group that
 * is given replaces the user's memberships, as Docker does. ERR_NOT_FOUND "unable to find user X:
 * no matching entries in passwd file"; ERR_INVALID for numbers out of range and malformed specs;
 * ERR_LIMIT. RET is PASSWD_IDENTITY_INIT before. */
int passwd_resolve(const char *spec, const char *const *group_add, const struct passwd_files *files,
		   struct passwd_identity *ret, struct err *e);

#endif
