/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/caps.h"

#include "base/cap-names.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

int cap_number(const char *name)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	for (int i = 0; i < CAPS_N; i++)
		if (strcasecmp(cap_names[i] + 4, name) == 0)
			return i;
	return -EINVAL;
}

const char *cap_name(unsigned cap)
{
	return cap < CAPS_N ? cap_names[cap] : NULL;
}

int caps_parse(const char *name, uint64_t *ret)
{
	int n;

	if (strcasecmp(name, "ALL") == 0 || strcasecmp(name, "CAP_ALL") == 0) {
		*ret = CAPS_ALL;
		return 0;
	}
	n = cap_number(name);
	if (n < 0)
		return n;
	*ret = CAPS_BIT(n);
	return 0;
}

/* The kernel refuses numbers above its last one, so halving finds it. */
int caps_last(void)
{
	int low = -1, high = 64;

	while (high - low > 1) {
		int middle = (low + high) / 2;

		if (prctl(PR_CAPBSET_READ, middle, 0, 0, 0) >= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static uint64_t known(void)
{
	int last = caps_last();

	return last >= 63 ? UINT64_MAX : (UINT64_C(1) << (last + 1)) - 1;
}

/* The three sets that capget knows. */
static int get_sets(struct caps *c)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	c->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	c->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	c->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

int caps_get_permitted(uint64_t *ret)
{
	struct caps c = {0};
	int r = get_sets(&c);

	if (r == 0)
		*ret = c.permitted;
	return r;
}

int caps_get(struct caps *ret)
{
	struct caps c = {0};
	int last = caps_last(), r = get_sets(&c);

	if (r < 0)
		return r;
	for (int i = 0; i <= last; i++) {
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			c.bounding |= CAPS_BIT(i);
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			c.ambient |= CAPS_BIT(i);
	}
	*ret = c;
	return 0;
}

int caps_limit_bounding(uint64_t keep)
{
	for (int i = 0; i < 64; i++) {
		int error;

		if (keep & CAPS_BIT(i) || prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0)
			continue;
		error = errno;
		if (error == EINVAL) /* above the kernel's last one */
			break;
		/* Without the right to drop it is enough that there is nothing to drop. */
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) != 0)
			return -error;
	}
	return 0;
}

int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint64_t mask = known();

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)((effective & mask) >> (32 * i));
		data[i].permitted = (uint32_t)((permitted & mask) >> (32 * i));
		data[i].inheritable = (uint32_t)((inheritable & mask) >> (32 * i));
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

int caps_set_ambient(uint64_t ambient)
{
	struct caps now;
	int r;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return ambient || errno != EINVAL ? -errno : 0; /* before Linux 4.3 */
	if (!ambient)
		return 0;
	if (!ambient)
		return 0;
	r = get_sets(&now);
	if (r < 0)
		return r;
	ambient &= now.permitted & now.inheritable;
	for (int i = 0; i < 64; i++)
		if ((ambient & CAPS_BIT(i)) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return -errno;
	return 0;
}

int caps_keep(bool on)
{
	return prctl(PR_SET_KEEPCAPS, on ? 1 : 0, 0, 0, 0) < 0 ? -errno : 0;
}

int caps_apply(const struct caps *c)
{
	int r = caps_limit_bounding(c->bounding);

	if (r == 0)
		r = caps_set(c->effective, c->permitted, c->inheritable);
	return r < 0 ? r : caps_set_ambient(c->ambient);
}
