/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/mount-option.h"

#include <string.h>
#include <sys/mount.h>

#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif

enum kind { ATTR, REC_ATTR, PROPAGATION, REC_PROPAGATION, BITS, SUPER };

/* An option: what it sets and what it clears, in the place that its kind says. */
static const struct option {
	const char *name;
	enum kind kind;
	uint64_t set, clear;
} options[] = {
	{"ro", ATTR, MOUNT_ATTR_RDONLY, 0},
	{"rw", ATTR, 0, MOUNT_ATTR_RDONLY},
	{"nosuid", ATTR, MOUNT_ATTR_NOSUID, 0},
	{"suid", ATTR, 0, MOUNT_ATTR_NOSUID},
	{"nodev", ATTR, MOUNT_ATTR_NODEV, 0},
	{"dev", ATTR, 0, MOUNT_ATTR_NODEV},
	{"noexec", ATTR, MOUNT_ATTR_NOEXEC, 0},
	{"exec", ATTR, 0, MOUNT_ATTR_NOEXEC},
	{"nodiratime", ATTR, MOUNT_ATTR_NODIRATIME, 0},
	{"diratime", ATTR, 0, MOUNT_ATTR_NODIRATIME},
	{"noatime", ATTR, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"atime", ATTR, 0, MOUNT_ATTR__ATIME},
	{"relatime", ATTR, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"norelatime", ATTR, 0, MOUNT_ATTR__ATIME},
	{"strictatime", ATTR, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"nostrictatime", ATTR, 0, MOUNT_ATTR__ATIME},
	{"nosymfollow", ATTR, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"symfollow", ATTR, 0, MOUNT_ATTR_NOSYMFOLLOW},
	{"rro", REC_ATTR, MOUNT_ATTR_RDONLY, 0},
	{"rrw", REC_ATTR, 0, MOUNT_ATTR_RDONLY},
	{"rnosuid", REC_ATTR, MOUNT_ATTR_NOSUID, 0},
	{"rsuid", REC_ATTR, 0, MOUNT_ATTR_NOSUID},
	{"rnodev", REC_ATTR, MOUNT_ATTR_NODEV, 0},
	{"rdev", REC_ATTR, 0, MOUNT_ATTR_NODEV},
	{"rnoexec", REC_ATTR, MOUNT_ATTR_NOEXEC, 0},
	{"rexec", REC_ATTR, 0, MOUNT_ATTR_NOEXEC},
	{"rnodiratime", REC_ATTR, MOUNT_ATTR_NODIRATIME, 0},
	{"rdiratime", REC_ATTR, 0, MOUNT_ATTR_NODIRATIME},
	{"rrelatime", REC_ATTR, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"rnorelatime", REC_ATTR, 0, MOUNT_ATTR__ATIME},
	{"rnoatime", REC_ATTR, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"ratime", REC_ATTR, 0, MOUNT_ATTR__ATIME},
	{"rstrictatime", REC_ATTR, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"rnostrictatime", REC_ATTR, 0, MOUNT_ATTR__ATIME},
	{"rnosymfollow", REC_ATTR, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"rsymfollow", REC_ATTR, 0, MOUNT_ATTR_NOSYMFOLLOW},
	{"private", PROPAGATION, MS_PRIVATE, 0},
	{"shared", PROPAGATION, MS_SHARED, 0},
	{"slave", PROPAGATION, MS_SLAVE, 0},
	{"unbindable", PROPAGATION, MS_UNBINDABLE, 0},
	{"rprivate", REC_PROPAGATION, MS_PRIVATE, 0},
	{"rshared", REC_PROPAGATION, MS_SHARED, 0},
	{"rslave", REC_PROPAGATION, MS_SLAVE, 0},
	{"runbindable", REC_PROPAGATION, MS_UNBINDABLE, 0},
	{"bind", BITS, MOUNT_BIND, 0},
	{"rbind", BITS, MOUNT_BIND | MOUNT_RBIND, 0},
	{"remount", BITS, MOUNT_REMOUNT, 0},
	{"tmpcopyup", BITS, MOUNT_TMPCOPYUP, 0},
	{"idmap", BITS, MOUNT_IDMAP, 0},
	{"ridmap", BITS, MOUNT_IDMAP | MOUNT_RIDMAP, 0},
	{"sync", SUPER, MS_SYNCHRONOUS, 0},
	{"async", SUPER, 0, MS_SYNCHRONOUS},
	{"dirsync", SUPER, MS_DIRSYNC, 0},
	{"mand", SUPER, MS_MANDLOCK, 0},
	{"nomand", SUPER, 0, MS_MANDLOCK},
	{"lazytime", SUPER, MS_LAZYTIME, 0},
	{"nolazytime", SUPER, 0, MS_LAZYTIME},
	{"silent", SUPER, MS_SILENT, 0},
	{"loud", SUPER, 0, MS_SILENT},
	{"iversion", SUPER, MS_I_VERSION, 0},
	{"noiversion", SUPER, 0, MS_I_VERSION},
	{"acl", SUPER, MS_POSIXACL, 0},
	{"noacl", SUPER, 0, MS_POSIXACL},
	{"defaults", ATTR, 0, 0},
};

/* Later options win: what is set leaves the cleared ones and the other way round. */
static void change(uint64_t *set, uint64_t *clear, const struct option *o)
{
	*set = (*set & ~o->clear) | o->set;
	*clear = (*clear & ~o->set) | o->clear;
}

bool mount_option_add(struct mount_options *o, const char *name)
{
	const struct option *f = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(options) && !f; i++)
		if (strcmp(options[i].name, name) == 0)
			f = &options[i];
	if (!f)
		return false;
	switch (f->kind) {
	case ATTR:
		change(&o->set, &o->clear, f);
		break;
	case REC_ATTR:
		change(&o->rec_set, &o->rec_clear, f);
		break;
	case PROPAGATION:
	case REC_PROPAGATION:
		o->propagation = f->set;
		o->rec_propagation = f->kind == REC_PROPAGATION;
		break;
	case BITS:
		o->bits |= (unsigned)f->set;
		break;
	case SUPER:
		o->sb_set = (unsigned)((o->sb_set & ~f->clear) | f->set);
		o->sb_clear = (unsigned)((o->sb_clear & ~f->set) | f->clear);
		break;
	}
	return true;
}

size_t mount_option_sb_keys(const struct mount_options *o, const char *keys[MOUNT_SB_KEYS_MAX])
{
	static const struct {
		unsigned flag;
		const char *key;
	} table[] = {
		/* What vfs_parse_sb_flag of the kernel's fs_context.c takes for every file system;
		 * the others are what mount(2) ignores where they mean nothing. */
		{MS_SYNCHRONOUS, "sync"},
		{MS_DIRSYNC, "dirsync"},
		{MS_MANDLOCK, "mand"},
		{MS_LAZYTIME, "lazytime"},
	};
	size_t n = 0;

	_Static_assert(ARRAY_SIZE(table) <= MOUNT_SB_KEYS_MAX, "room for every key");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (o->sb_set & table[i].flag)
			keys[n++] = table[i].key;
	return n;
}

const char *mount_option_name(size_t i)
{
	return i < ARRAY_SIZE(options) ? options[i].name : NULL;
}

unsigned long mount_attr_to_ms(uint64_t attr)
{
	static const struct {
		uint64_t attr;
		unsigned long ms;
	} table[] = {
		{MOUNT_ATTR_RDONLY, MS_RDONLY},         {MOUNT_ATTR_NOSUID, MS_NOSUID},
		{MOUNT_ATTR_NODEV, MS_NODEV},           {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
		{MOUNT_ATTR_NODIRATIME, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW, 256},
	};
	unsigned long ms = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (attr & table[i].attr)
			ms |= table[i].ms;
	switch (attr & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_NOATIME:
		return ms | MS_NOATIME;
	case MOUNT_ATTR_STRICTATIME:
		return ms | MS_STRICTATIME;
	default:
		return ms | MS_RELATIME;
	}
}
