/* SPDX-License-Identifier: Apache-2.0 */
/* info and version. The fields of --format have Docker's names. */
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/fd.h"
#include "base/json.h"
#include "base/num.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine.h"
#include "kernel/cgroup.h"
#include "store/df.h"
#include "store/store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

struct opts {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct opts, format), CLI_FORMAT_HELP_OBJECT},
	{NULL},
};

/* PRETTY_NAME of /etc/os-release, or "". */
static const char *os_name(struct cli_context *c)
{
	static const char key[] = "PRETTY_NAME=\"";
	_cleanup_(buf_done) struct buf text = BUF_INIT(1 << 16);
	_cleanup_(fd_close) int fd = path_open_host("/etc/os-release", O_RDONLY, 0);
	const char *at;

	if (fd < 0 || fd_read_all(fd, &text, 1 << 15) < 0)
		return "Linux";
	at = strstr(buf_str(&text), key);
	if (!at)
		return "Linux";
	at += sizeof(key) - 1;
	return arena_strndup(&c->arena, at, strcspn(at, "\"\n"));
}

static const char *arch_name(const char *machine)
{
	if (str_eq(machine, "x86_64"))
		return "amd64";
	return str_eq(machine, "aarch64") ? "arm64" : machine;
}

/* As Docker has it: "1" (also where both are there), "2". */
static const char *cgroup_version(void)
{
	struct cgroup_host host = CGROUP_HOST_INIT;
	const char *text = cgroup_host_open(&host) < 0 || host.mode == CGROUP_NONE ? "none"
			   : host.mode == CGROUP_V2                                ? "2"
										   : "1";

	cgroup_host_done(&host);
	return text;
}

struct states {
	json_int_t total, running;
};

static int count_containers(struct engine *en, struct states *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *list = container_list(en, true, false, e);
	json_t *container;
	size_t i;

	json_array_foreach (list, i, container) {
		const char *state = json_string_value(json_object_get(container, "State"));

		ret->total++;
		ret->running += state && str_eq(state, "running");
	}
	return list ? 0 : -1;
}

static json_t *info_object(struct cli_context *c, struct err *e)
{
	struct engine *en = cli_engine(c, e);
	struct states states = {0};
	struct df df = {.n_layers = 0};
	struct utsname u;
	struct sysinfo si;
	char host[256] = "";
	struct store *s;

	if (!en || count_containers(en, &states, e) < 0)
		return NULL;
	s = engine_store(en);
	if (store_df(s, &df, e) < 0)
		return NULL;
	(void)uname(&u);
	(void)sysinfo(&si);
	(void)gethostname(host, sizeof(host) - 1);
	return json_pack("{s:I, s:I, s:i, s:I, s:I, s:s, s:s, s:s, s:[s], s:s, s:s, s:s, s:s, s:i, "
			 "s:I, s:s, s:s, s:b}",
			 "Containers", states.total, "ContainersRunning", states.running,
			 "ContainersPaused", 0, "ContainersStopped", states.total - states.running,
			 "Images", (json_int_t)df.images.total, "ServerVersion", KOGGE_VERSION,
			 "Driver", store_driver(s), "CgroupVersion", cgroup_version(),
			 "SecurityOptions", "name=seccomp,profile=builtin", "KernelVersion",
			 u.release, "OperatingSystem", os_name(c), "OSType", "linux",
			 "Architecture", u.machine, "NCPU", (int)sysconf(_SC_NPROCESSORS_ONLN),
			 "MemTotal", (json_int_t)((uint64_t)si.totalram * si.mem_unit), "Name",
			 host, "DockerRootDir", store_root_path(s), "Debug", c->debug);
}

static void put_info(struct cli_context *c, const json_t *j)
{
	static const char *const lines[][2] = {{"Containers", "Containers"},
					       {" Running", "ContainersRunning"},
					       {" Paused", "ContainersPaused"},
					       {" Stopped", "ContainersStopped"},
					       {"Images", "Images"},
					       {"Server Version", "ServerVersion"},
					       {"Storage Driver", "Driver"},
					       {"Cgroup Version", "CgroupVersion"},
					       {"Kernel Version", "KernelVersion"},
					       {"Operating System", "OperatingSystem"},
					       {"OSType", "OSType"},
					       {"Architecture", "Architecture"},
					       {"CPUs", "NCPU"},
					       {"Name", "Name"},
					       {"Root Dir", "DockerRootDir"}};
	char memory[32];

	fprintf(c->out,
		"Client:\n Version:    %s\n Context:    default\n Debug Mode: %s\n\nServer:\n",
		KOGGE_VERSION, c->debug ? "true" : "false");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const json_t *v = json_object_get(j, lines[i][1]);

		if (json_is_integer(v))
			fprintf(c->out, " %s: %lld\n", lines[i][0],
				(long long)json_integer_value(v));
		else
			fprintf(c->out, " %s: %s\n", lines[i][0], json_string_value(v));
	}
	fprintf(c->out, " Total Memory: %s\n Security Options:\n  seccomp\n   Profile: builtin\n",
		num_bytes_size((double)json_integer_value(json_object_get(j, "MemTotal")), memory));
}

static int run_info(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	_cleanup_(json_unref) json_t *j = info_object(c, e);

	if (!j)
		return e->class == ERR_NONE ? err_set(e, ERR_LIMIT, 0, "out of memory"), 1 : 1;
	if (!str_empty(o->format))
		return format_print(c, o->format, j, "system.dockerInfo", NULL, e) < 0;
	put_info(c, j);
	return 0;
}

static json_t *version_object(void)
{
	struct utsname u;
	const char *arch;

	(void)uname(&u);
	arch = arch_name(u.machine);
	return json_pack("{s:{s:{s:s}, s:s, s:s, s:s, s:s}, s:{s:{s:s}, s:s, s:s, s:s, s:s}}",
			 "Client", "Platform", "Name", "Kogge", "Version", KOGGE_VERSION, "Os",
			 "linux", "Arch", arch, "Context", "default", "Server", "Platform", "Name",
			 "Kogge", "Version", KOGGE_VERSION, "Os", "linux", "Arch", arch,
			 "KernelVersion", u.release);
}

static int run_version(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	_cleanup_(json_unref) json_t *j = version_object();
	const char *arch;

	if (!j)
		return err_set(e, ERR_LIMIT, 0, "out of memory"), 1;
	if (!str_empty(o->format))
		return format_print(c, o->format, j, "command.versionInfo", NULL, e) < 0;
	arch = json_string_value(json_object_get(json_object_get(j, "Client"), "Arch"));
	fprintf(c->out,
		"Client:\n Version:           %s\n OS/Arch:           linux/%s\n"
		" Context:           default\n\nServer:\n Engine:\n  Version:          %s\n"
		"  OS/Arch:          linux/%s\n",
		KOGGE_VERSION, arch, KOGGE_VERSION, arch);
	return 0;
}

#define INFO                                                                                       \
	.name = "info", .usage = "[OPTIONS]", .summary = "Show what this machine and store are",   \
	.aliases = "system info,info", .options = options, .opts_size = sizeof(struct opts),       \
	.run = run_info

const struct cli_command cli_info = {.flags = CLI_COMMON, INFO};
const struct cli_command cli_system_info = {INFO};
const struct cli_command cli_version = {.name = "version",
					.usage = "[OPTIONS]",
					.summary = "Show the version",
					.flags = CLI_COMMON,
					.options = options,
					.opts_size = sizeof(struct opts),
					.run = run_version};
