/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tree-internal.h"

#include "base/str.h"

char *tree_clean_name(struct arena *a, const char *name, struct err *e)
{
	char *out = arena_alloc(a, strlen(name) + 1);
	size_t n = 0, len;

	if (!out) {
		err_set(e, ERR_LIMIT, 0, "the names in the archive need too much memory");
		return NULL;
	}
	for (; *name; name += len + (name[len] == '/')) {
		len = strcspn(name, "/");
		if (len == 0 || (len == 1 && name[0] == '.'))
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.') {
			err_set(e, ERR_HOSTILE, 0,
				"a name in the archive climbs out of it by '..'");
			return NULL;
		}
		if (n)
			out[n++] = '/';
		memcpy(out + n, name, len);
		n += len;
	}
	out[n] = '\0';
	return out;
}

bool tree_claimed_digest(const char *name, struct digest *ret)
{
	const char *base = strrchr(name, '/'), *hex = str_after(name, "blobs/sha256/");
	char copy[SHA256_HEX_SIZE];

	if (hex)
		return digest_parse_hex(hex, ret, NULL) == 0;
	base = base ? base + 1 : name;
	if (strlen(base) < sizeof(copy) - 1 ||
	    (!str_eq(base + sizeof(copy) - 1, ".json") && !str_eq(base + sizeof(copy) - 1, ".tar")))
		return false;
	memcpy(copy, base, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	return digest_parse_hex(copy, ret, NULL) == 0;
}

int tree_resolve(struct image_tree *t, const struct platform *want, struct image_set *ret,
		 struct err *e)
{
	struct image_wish wish = {.strict = want != NULL};
	struct image_set set = IMAGE_SET_INIT;
	int r;

	if (want)
		wish.platform = *want;
	else
		platform_host(&wish.platform);
	r = layout_resolve(t, &wish, &set, e);
	if (r == 0)
		r = docker_resolve(t, &wish, &set, e);
	if (r == 0)
		r = err_set(e, ERR_INVALID, 0,
			    "this is no image archive: it has neither index.json (OCI) nor "
			    "manifest.json (Docker)");
	if (r < 0) {
		image_set_done(&set);
		return -1;
	}
	*ret = set;
	return 0;
}
