/* SPDX-License-Identifier: Apache-2.0 */
/* kogge-unpack MODE MAX-BYTES MAX-INODES MAX-RATIO RATIO-SLACK HASHED OWNER UID GID PREFIX
 *
 * Applies one layer to a directory, or copies an archive into one, confined. Started by
 * unpack/unpack-client.c alone; MODE is overlay, apply, copy or filter (decompress to descriptor 1,
 * a socket), limits are decimal, 0 for none; HASHED is 1 where the caller hashes the stream too,
 * OWNER an enum unpack_owner; names start at PREFIX. Descriptors: 0 the stream, 3 a detached mount
 * of the directory, 4 the socket (unpack/unpack-protocol.h). Prints nothing. Exits with 0 when it
 * has sent its answer, whatever that is. */
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/foreign.h"
#include "unpack/unpack-client.h"
#include "unpack/unpack-jail.h"
#include "unpack/unpack-protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ARG_MODE = 1,
	ARG_LIMITS,
	ARG_HASHED = ARG_LIMITS + 4,
	ARG_OWNER,
	ARG_UID,
	ARG_GID,
	ARG_PREFIX,
	ARG_N
};

static int parse(int argc, char **argv, struct unpack_request *req, struct err *e)
{
	uint64_t v[ARG_PREFIX - ARG_LIMITS];
	size_t mode = 0;

	while (argc == ARG_N && mode < ARRAY_SIZE(unpack_mode_names) &&
	       !str_eq(argv[ARG_MODE], unpack_mode_names[mode]))
		mode++;
	if (argc != ARG_N || mode == ARRAY_SIZE(unpack_mode_names))
		return err_set(e, ERR_INVALID, 0, "kogge-unpack is started by kogge alone");
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		if (num_u64(argv[(size_t)ARG_LIMITS + i], 0, UINT64_MAX, &v[i]) < 0 ||
		    ((i == 2 || i >= ARG_UID - ARG_LIMITS) && v[i] > UINT32_MAX) ||
		    (i == ARG_OWNER - ARG_LIMITS && v[i] > UNPACK_OWNER_NONE))
			return err_set(e, ERR_INVALID, 0, "limit %zu is no number", i);
	*req = (struct unpack_request){
		.input = UNPACK_FD_INPUT,
		.output = UNPACK_FD_OUTPUT,
		.target = UNPACK_FD_TARGET,
		.mode = (enum unpack_mode)mode,
		.limits = {v[0], v[1], (uint32_t)v[2], v[3]},
		.hashed = v[ARG_HASHED - ARG_LIMITS] != 0,
		.owner = (enum unpack_owner)v[ARG_OWNER - ARG_LIMITS],
		.uid = (uint32_t)v[ARG_UID - ARG_LIMITS],
		.gid = (uint32_t)v[ARG_GID - ARG_LIMITS],
		.prefix = argv[ARG_PREFIX],
	};
	return 0;
}

/* trusted.* needs CAP_SYS_ADMIN, which is what we want least of all: the parent sets it. */
static int ask_opaque(void *data, int dir, struct err *e)
{
	static const struct unpack_head head = {UNPACK_MAGIC, UNPACK_OPAQUE};
	char done = 0;
	int rc = fd_send(UNPACK_FD_SOCKET, &head, sizeof(head), &dir, 1);

	if (rc == 0)
		rc = (int)fd_read_full(UNPACK_FD_SOCKET, &done, 1);
	if (rc < 0)
		return err_errno(e, rc, "asking for an opaque mark");
	if (!done)
		return err_set(e, ERR_IO, 0, "an opaque mark was not set");
	return 0;
}

static int work(int argc, char **argv, struct unpack_result *ret, struct err *e)
{
	static const struct unpack_hooks hooks = {.opaque = ask_opaque, .foreign = stream_foreign};
	struct unpack_request req;
	uint32_t confined;

	if (parse(argc, argv, &req, e) < 0 ||
	    unpack_jail_enter(UNPACK_FD_TARGET, UNPACK_FD_SOCKET, &confined, e) < 0)
		return -1;
	if (req.mode == UNPACK_FILTER)
		return unpack_filter(&req, &hooks, ret, e);
	/* The mount's own descriptor says nothing of reading; "." of it does. */
	req.target = path_open_own(UNPACK_FD_TARGET, ".", O_RDONLY | O_DIRECTORY, 0);
	if (req.target < 0)
		return err_errno(e, req.target, "opening the directory to unpack to");
	if (unpack_layer(&req, &hooks, ret, e) < 0)
		return -1;
	ret->confined = confined;
	return 0;
}

int main(int argc, char **argv)
{
	static struct unpack_message m = {.head = {UNPACK_MAGIC, UNPACK_DONE}};
	int rc;

	umask(0);
	if (work(argc, argv, &m.result, &m.err) < 0)
		m.head.type = UNPACK_FAILED;
	rc = fd_send(UNPACK_FD_SOCKET, &m, sizeof(m), NULL, 0);
	return rc < 0 ? 1 : 0;
}
