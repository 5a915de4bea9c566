/* SPDX-License-Identifier: Apache-2.0 */
#include "store/build-context.h"

#include "base/fd.h"
#include "base/path.h"
#include "store/image-loader.h"
#include "unpack/unpack-client.h"

#include <fcntl.h>

int build_context_unpack(struct store *s, int fd, char ret_id[SNAPSHOT_ID_SIZE], struct err *e)
{
	struct unpack_request req = {
		.input = fd, .mode = UNPACK_COPY, .limits = UNPACK_LIMITS_DEFAULT};
	struct unpack_result result;
	int program = loader_program(s, e), r;
	_cleanup_(fd_close) int dir = -1;

	if (program < 0)
		return -1;
	dir = snapshot_layer_begin(s, NULL, ret_id, e);
	if (dir < 0) {
		ret_id[0] = '\0';
		return -1;
	}
	req.target = dir;
	r = unpack_in_child(program, &req, &result, e);
	if (r == 0) {
		r = path_open_own(dir, ".", O_RDONLY | O_DIRECTORY, 0);
		if (r >= 0)
			return r;
		err_errno(e, r, "opening the context");
	}
	snapshot_layer_abort(s, ret_id);
	ret_id[0] = '\0';
	return -1;
}
