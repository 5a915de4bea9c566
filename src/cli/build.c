/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "base/str.h"
#include "cli/build-check.h"
#include "cli/build-opts.h"
#include "cli/verbs.h"

#define O(field) offsetof(struct build_opts, field)

static const struct cli_option options[] = {
	{"add-host", 0, CLI_LIST, O(add_host), "Add a line to /etc/hosts while RUN runs: HOST:IP"},
	{"allow", 0, CLI_OTHER, O(allow),
	 "Allow what needs to be allowed (\"network.host\", \"security.insecure\")",
	 .word = "stringArray"},
	{"annotation", 0, CLI_OTHER, O(annotations),
	 "Add an annotation to the image's manifest: [manifest:]KEY=VALUE", .word = "stringArray"},
	{"build-arg", 0, CLI_LIST, O(args), "Value of an argument of the Dockerfile: NAME=VALUE"},
	{"build-context", 0, CLI_OTHER, O(contexts),
	 "Another context, for FROM and --from: NAME=FOLDER", .word = "stringArray"},
	{"cache-from", 0, CLI_OTHER, O(cache_from), "Where else to look for results",
	 .word = "stringArray", .flags = CLI_IGNORED},
	{"cache-to", 0, CLI_OTHER, O(cache_to), "Where else to keep results", .word = "stringArray",
	 .flags = CLI_IGNORED},
	{"call", 0, CLI_STRING, O(call), "What to do: \"check\"", .default_text = "\"build\""},
	{"cgroup-parent", 0, CLI_STRING, O(cgroup_parent), "Parent of the cgroups of RUN"},
	{"check", 0, CLI_BOOL, O(check),
	 "Say what is wrong with the Dockerfile, or rarely meant, and build nothing"},
	{"cpu-period", 0, CLI_INT, O(cpu_period), "Period of the limit of CPU time"},
	{"cpu-quota", 0, CLI_INT, O(cpu_quota), "Limit of CPU time in a period"},
	{"cpu-shares", 'c', CLI_INT, O(cpu_shares), "Weight among others for CPU time"},
	{"cpuset-cpus", 0, CLI_STRING, O(cpuset_cpus), "CPUs to run on (0-3, 0,1)"},
	{"cpuset-mems", 0, CLI_STRING, O(cpuset_mems), "Memory nodes to use (0-3, 0,1)"},
	{"explain", 0, CLI_BOOL, O(explain), "Say of each step why it runs"},
	{"file", 'f', CLI_STRING, O(file),
	 "Name of the Dockerfile; \"-\" reads it from stdin (default \"PATH/Dockerfile\")"},
	{"force-rm", 0, CLI_BOOL, O(force_rm), "Without effect, as in Docker",
	 .flags = CLI_IGNORED | CLI_HIDDEN},
	{"iidfile", 0, CLI_STRING, O(iidfile), "Write the image's ID to this file"},
	{"label", 0, CLI_LIST, O(labels), "Set a label of the image: KEY=VALUE"},
	{"load", 0, CLI_BOOL, O(load), "Without effect: the image is always there at the end",
	 .flags = CLI_IGNORED},
	{"memory", 'm', CLI_BYTES, O(memory), "Limit of memory of RUN"},
	{"memory-swap", 0, CLI_BYTES, O(memory_swap), "Limit of memory and swap; -1: unlimited",
	 .flags = CLI_MINUS_ONE},
	{"metadata-file", 0, CLI_STRING, O(metadata_file),
	 "Write what was made to this file, as JSON"},
	{"network", 0, CLI_STRING, O(network),
	 "Network of RUN (\"default\", \"none\", \"host\", or a name)",
	 .default_text = "\"default\""},
	{"no-cache", 0, CLI_BOOL, O(no_cache), "Use no earlier results"},
	{"no-cache-filter", 0, CLI_OTHER, O(no_cache_filter),
	 "Use no earlier results for these stages", .word = "stringArray"},
	{"output", 'o', CLI_OTHER, O(outputs),
	 "Where the result goes: type=image|docker|oci|tar|local[,dest=PATH][,name=NAME]",
	 .word = "stringArray"},
	{"platform", 0, CLI_STRING, O(platform), "What to build for, \"os[/arch[/variant]]\""},
	{"progress", 0, CLI_STRING, O(progress),
	 "How to show what happens (\"auto\", \"plain\", \"tty\", \"quiet\", \"rawjson\")",
	 .default_text = "\"auto\""},
	{"pull", 0, CLI_BOOL, O(pull), "Look for newer base images first"},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Print the image's ID and nothing else"},
	{"rm", 0, CLI_BOOL, O(rm), "Without effect, as in Docker",
	 .flags = CLI_IGNORED | CLI_HIDDEN},
	{"secret", 0, CLI_OTHER, O(secrets),
	 "Give RUN --mount=type=secret a file or variable: id=ID[,src=FILE|env=NAME]",
	 .word = "stringArray"},
	{"security-opt", 0, CLI_OTHER, O(security_opt), "Options of the isolation",
	 .word = "stringSlice", .flags = CLI_LATER},
	{"shm-size", 0, CLI_BYTES, O(shm_size), "Size of /dev/shm"},
	{"ssh", 0, CLI_OTHER, O(ssh), "Give RUN --mount=type=ssh an agent: default|ID[=SOCKET]",
	 .word = "stringArray"},
	{"tag", 't', CLI_LIST, O(tags), "Name of the image, \"name:tag\"; may be given again"},
	{"target", 0, CLI_STRING, O(target), "Stage to build"},
	{"ulimit", 0, CLI_OTHER, O(ulimits), "Limits of processes of RUN", .word = "ulimit"},
	{NULL},
};

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct build_opts *o = a->opts;
	struct build_check_opts check = {.context = a->argv[0],
					 .file = o->file,
					 .target = o->target,
					 .platform = o->platform,
					 .args = &o->args};

	if (o->call && !str_eq(o->call, "check") && !str_eq(o->call, "build"))
		return err_set(e, ERR_UNSUPPORTED, 0, "--call %s: only \"check\" is there yet",
			       o->call),
		       1;
	if (o->check || str_eq0(o->call, "check"))
		return build_check(c, &check, e);
	return build_make(c, o, a->argv[0], e);
}

#define BUILD                                                                                      \
	.name = "build", .usage = "[OPTIONS] PATH | URL | -",                                      \
	.summary = "Build an image from a Dockerfile", .aliases = "image build,build",             \
	.min_args = 1, .max_args = 1, .options = options, .opts_size = sizeof(struct build_opts),  \
	.run = run

const struct cli_command cli_build = {BUILD};
const struct cli_command cli_image_build = {BUILD};
