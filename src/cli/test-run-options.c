/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/parse.h"
#include "cli/run-options.h"
#include "cli/verbs.h"
#include "engine/container-spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

struct result {
	struct arena arena;
	struct container_spec spec;
	struct err e;
	int r;
};

/* As `kogge run ARGV...`. */
static void run(struct result *r, const char *const *argv)
{
	struct run_opts *o;
	struct parse p = {.arena = &r->arena, .options = run_options, .stop_at_arg = true};
	struct cli_args a = {.command = &cli_run};

	*r = (struct result){.spec = CONTAINER_SPEC_INIT, .e = ERR_INIT};
	o = arena_alloc(&r->arena, sizeof(*o));
	*o = run_opts_init;
	p.opts = o;
	p.given = arena_alloc(&r->arena, cli_options_count(run_options) + 1);
	r->r = cli_parse(&p, (char *const *)(uintptr_t)argv, &r->e);
	if (r->r < 0)
		return;
	a.opts = o;
	a.given = p.given;
	a.argv = p.argv;
	a.argc = p.argc;
	r->r = run_spec(&a, &r->spec, &r->e);
}

static void done(struct result *r)
{
	container_spec_done(&r->spec);
	arena_done(&r->arena);
}

#define RUN(r, ...) run(r, (const char *const[]){__VA_ARGS__, NULL})

static void every_kind_of_option_reaches_the_spec(void **state)
{
	struct result r;
	const struct container_spec *s = &r.spec;

	RUN(&r, "-it", "--rm", "--name", "web", "-e", "A=1", "-e", "UNSET_HERE", "-l", "k=v", "-w",
	    "/srv", "-u", "1:2", "--tmpfs", "/t:size=1m,noexec", "--device", "/dev/null:/dev/x:r",
	    "--device-cgroup-rule", "c 1:* rm", "--ulimit", "nofile=10:20", "--cap-add",
	    "net_admin", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
	    "--security-opt", "seccomp=unconfined", "--sysctl", "net.ipv4.ip_forward=1",
	    "--add-host", "h:[::1]", "--network", "none", "--pid", "container:x", "-m", "64m",
	    "--memory-swap", "-1", "--cpus", "0.5", "--pids-limit", "-7",
	    "--oom-kill-disable=false", "--entrypoint", "", "img", "sh", "-c", "x");
	assert_string_equal(r.e.msg, "");
	assert_int_equal(r.r, 0);
	assert_string_equal(s->image, "img");
	assert_string_equal(s->cmd[1], "-c");
	assert_non_null(s->entrypoint);
	assert_null(s->entrypoint[0]);
	assert_true(s->tty && s->interactive && s->auto_remove && s->attach_in && s->attach_out);
	assert_string_equal(s->env[0], "A=1");
	assert_string_equal(s->env[1], "UNSET_HERE");
	assert_string_equal(s->labels[0].value, "v");
	assert_string_equal(s->tmpfs[0].options, "size=1m,noexec");
	assert_string_equal(s->resources.devices[0].container, "/dev/x");
	assert_string_equal(s->resources.devices[0].perms, "r");
	assert_int_equal(s->resources.device_rules[0].minor, SPEC_DEV_ANY);
	assert_int_equal(s->resources.ulimits[0].hard, 20);
	assert_string_equal(s->cap_add[0], "CAP_NET_ADMIN");
	assert_string_equal(s->cap_drop[0], "ALL");
	assert_true(s->security.no_new_privileges);
	assert_int_equal(s->security.seccomp, SPEC_SECCOMP_UNCONFINED);
	assert_string_equal(s->sysctls[0].key, "net.ipv4.ip_forward");
	assert_string_equal(s->extra_hosts[0].value, "::1");
	assert_int_equal(s->network.mode, SPEC_NS_NONE);
	assert_int_equal(s->pid.mode, SPEC_NS_CONTAINER);
	assert_string_equal(s->pid.ref, "x");
	assert_int_equal(s->resources.memory, 64 << 20);
	assert_int_equal(s->resources.memory_swap, -1);
	assert_int_equal(s->resources.nano_cpus, 500000000);
	assert_int_equal(s->resources.pids_limit, -1);
	assert_int_equal(s->resources.oom_kill_disable, SPEC_FALSE);
	done(&r);
}

static void wrong_values_are_refused_with_their_names(void **state)
{
	static const struct {
		const char *option, *value, *message;
	} rows[] = {
		{"--ulimit", "foo=1",
		 "invalid argument \"foo=1\" for \"--ulimit\" flag: invalid "
		 "ulimit type: foo"},
		{"--ulimit", "nofile=9:1",
		 "invalid argument \"nofile=9:1\" for \"--ulimit\" flag: ulimit soft limit must be "
		 "less "
		 "than or equal to hard limit: 9 > 1"},
		{"--device-cgroup-rule", "foo",
		 "invalid argument \"foo\" for \"--device-cgroup-rule\" "
		 "flag: invalid device cgroup format 'foo'"},
		{"--sysctl", "foo",
		 "invalid argument \"foo\" for \"--sysctl\" flag: sysctl 'foo' is not allowed"},
		{"--sysctl", "kernel.core_pattern=x",
		 "invalid argument \"kernel.core_pattern=x\" for \"--sysctl\" flag: sysctl "
		 "'kernel.core_pattern=x' is not allowed"},
		{"--add-host", "foo",
		 "invalid argument \"foo\" for \"--add-host\" flag: bad format for "
		 "add-host: \"foo\""},
		{"--attach", "foo",
		 "invalid argument \"foo\" for \"-a, --attach\" flag: valid streams "
		 "are STDIN, STDOUT and STDERR"},
		{"--label", "=x",
		 "invalid argument \"=x\" for \"-l, --label\" flag: invalid label "
		 "'=x': empty name"},
		{"--env", "=x",
		 "invalid argument \"=x\" for \"-e, --env\" flag: invalid environment "
		 "variable: =x"},
		{"--cap-add", "FOO", "invalid CapAdd: unknown capability: \"FOO\""},
		{"--pid", "foo", "--pid: invalid PID mode"},
		{"--ipc", "foo", "invalid IPC mode: foo"},
		{"--uts", "foo", "--uts: invalid UTS mode"},
		{"--userns", "foo", "--userns: invalid USER mode"},
		{"--cgroupns", "foo", "--cgroupns: invalid CGROUP mode"},
		{"--tmpfs", "foo", "invalid mount path: 'foo' mount path must be absolute"},
		{"--tmpfs", "/a:exec,foo", "invalid tmpfs option \"foo\""},
		{"--security-opt", "foo", "invalid --security-opt: \"foo\""},
		{"--blkio-weight", "5", "range of blkio weight is from 10 to 1000"},
		{"--oom-score-adj", "5000",
		 "invalid value 5000, range for oom score adj is [-1000, "
		 "1000]"},
		{"--memory", "1k", "minimum memory limit allowed is 6MB"},
		{"--memory-swap", "50m",
		 "you should always set the memory limit when using memoryswap "
		 "limit, see usage"},
		{"--name", "!",
		 "invalid container name (!), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
		 "allowed"},
		{"--stop-signal", "FOO", "invalid signal: FOO"},
		{"--workdir", "rel",
		 "the working directory 'rel' is invalid, it needs to be an "
		 "absolute path"},
		{"--cpuset-cpus", "foo", "invalid value foo for cpuset cpus"},
		{"--cpu-period", "5",
		 "CPU cfs period can not be less than 1ms (i.e. 1000) or larger "
		 "than 1s (i.e. 1000000)"},
		{"--env-file", "/nonexistent", "reading '/nonexistent': no such file or directory"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct result r;

		RUN(&r, rows[i].option, rows[i].value, "img");
		if (r.r == 0 || strcmp(r.e.msg, rows[i].message) != 0)
			fail_msg("%s %s gave %d '%s', not '%s'", rows[i].option, rows[i].value, r.r,
				 r.e.msg, rows[i].message);
		done(&r);
	}
}

static void what_docker_takes_is_taken(void **state)
{
	static const char *const rows[][2] = {{"--ulimit", "core=-1"},
					      {"--ulimit", "nofile=5:-1"},
					      {"--device", "/dev/null"},
					      {"--device", "/dev/null:rw"},
					      {"--memory-swap", "-1"},
					      {"--memory-swap", "0"},
					      {"--tmpfs", "/a"},
					      {"--tmpfs", "/a:size=50%"},
					      {"--ipc", "shareable"},
					      {"--cgroupns", ""},
					      {"--network", "mine"},
					      {"--security-opt", "label:disable"},
					      {"--security-opt", "apparmor=unconfined"},
					      {"--stop-signal", "SIGRTMIN+3"},
					      {"--pull", "never"},
					      {"--platform", "linux/amd64"},
					      {"--add-host", "a=1.2.3.4"},
					      {"--add-host", "a:host-gateway"},
					      {"--cpu-quota", "-1"},
					      {"--disable-content-trust", "x"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows) - 1; i++) {
		struct result r;

		RUN(&r, rows[i][0], rows[i][1], "img");
		if (r.r < 0)
			fail_msg("%s %s: %s", rows[i][0], rows[i][1], r.e.msg);
		done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_option_reaches_the_spec),
		cmocka_unit_test(wrong_values_are_refused_with_their_names),
		cmocka_unit_test(what_docker_takes_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
