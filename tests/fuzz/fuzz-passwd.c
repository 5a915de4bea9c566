/* SPDX-License-Identifier: Apache-2.0 */
/* The input is "spec \0 passwd \0 group". Nobody but "0", "root" and a name with an entry of uid 0
 * is root, and the primary group is always among the groups. */
#include "oci/passwd.h"

#include <stdlib.h>
#include <string.h>

static bool has_gid(const struct passwd_identity *i)
{
	for (size_t k = 0; k < i->n_gids; k++) {
		if (k && i->gids[k] <= i->gids[k - 1])
			abort();
		if (i->gids[k] == i->gid)
			return true;
	}
	return false;
}

static void check(const char *spec, const struct passwd_identity *i)
{
	size_t user = strcspn(spec, ":");

	if (!has_gid(i) || i->uid == UINT32_MAX || i->gid == UINT32_MAX || i->home[0] != '/')
		abort();
	if (i->uid == 0 && !i->name[0] && user && !(user == 1 && spec[0] == '0'))
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	const char *all = (const char *)data;
	const char *passwd = n ? memchr(all, '\0', n) : NULL;
	size_t left = passwd ? n - (size_t)(++passwd - all) : 0;
	const char *group = left ? memchr(passwd, '\0', left) : NULL;
	char *spec = strndup(all, n);
	struct passwd_identity i = PASSWD_IDENTITY_INIT;
	struct passwd_files f = {passwd, left, NULL, 0};

	if (group) {
		f.n_passwd = (size_t)(group - passwd);
		f.group = group + 1;
		f.n_group = left - f.n_passwd - 1;
	}
	if (spec && passwd_resolve(spec, NULL, &f, &i, NULL) == 0)
		check(spec, &i);
	passwd_identity_done(&i);
	free(spec);
	return 0;
}
