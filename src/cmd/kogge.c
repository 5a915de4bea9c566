/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. Wiring only: streams, and the exit code. */
#include "cli/cli.h"

#include "base/json.h"
#include "base/process.h"

#include <errno.h>

int main(int argc, char **argv)
{
	struct cli_context c = {.root = &cli_root,
				.program = "kogge",
				.out = stdout,
				.err = stderr,
				.in_fd = STDIN_FILENO,
				.out_fd = STDOUT_FILENO,
				.err_fd = STDERR_FILENO,
				.arena = ARENA_INIT};
	int code;

	if (process_clean_start() < 0)
		return 125;
	json_seed();
	code = cli_main(&c, argc, argv);
	/* What did not reach its reader was not done. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
		if (errno != EPIPE)
			fprintf(stderr, "kogge: writing to stdout: %m\n");
		code = 1;
	}
	cli_context_done(&c);
	return code;
}
