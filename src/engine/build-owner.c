/* SPDX-License-Identifier: Apache-2.0 */
/* --chown: numbers are taken as they are, names from the files of the tree that is copied to. A
 * number without a group gives group 0, a name its own group (BuildKit: llb.WithUser and readUser).
 */
#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/build-copy.h"
#include "oci/passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void read_file(int root, const char *path, struct buf *out)
{
	_cleanup_(fd_close) int fd = path_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		(void)fd_read_all(fd, out, PASSWD_SIZE_MAX);
}

static int look_up(int root, const char *text, struct build_owner *ret, struct err *e)
{
	_cleanup_(buf_done) struct buf passwd = BUF_INIT(PASSWD_SIZE_MAX + 1);
	_cleanup_(buf_done) struct buf group = BUF_INIT(PASSWD_SIZE_MAX + 1);
	_cleanup_(passwd_identity_done) struct passwd_identity who = PASSWD_IDENTITY_INIT;
	struct passwd_files files;

	read_file(root, "etc/passwd", &passwd);
	read_file(root, "etc/group", &group);
	files = (struct passwd_files){passwd.data, passwd.len, group.data, group.len};
	if (passwd_resolve(text, NULL, &files, &who, e) < 0)
		return err_wrap(e, "--chown=%s", text);
	*ret = (struct build_owner){.given = true, .uid = who.uid, .gid = who.gid};
	return 0;
}

int build_owner_parse(int root, const char *text, struct build_owner *ret, struct err *e)
{
	const char *colon = text ? strchr(text, ':') : NULL;
	uint32_t uid;

	*ret = (struct build_owner){.given = false};
	if (str_empty(text))
		return 0;
	if (!colon && num_u32(text, &uid) == 0) {
		*ret = (struct build_owner){.given = true, .uid = uid, .gid = uid};
		return 0;
	}
	return look_up(root, text, ret, e);
}
