/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/runtime-config.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#define PROCESS "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"}"

static void parse_ok(const char *text, struct runtime_config *c)
{
	struct err e = ERR_INIT;

	if (runtime_config_parse(text, strlen(text), c, &e) < 0)
		fail_msg("%s: %s", e.msg, text);
}

/* BODY is refused with a message that has WORDS. */
static void parse_bad(const char *body, const char *words)
{
	struct runtime_config c = RUNTIME_CONFIG_INIT;
	struct err e = ERR_INIT;
	char text[2048];

	snprintf(text, sizeof(text), "{\"ociVersion\":\"1.2.0\",%s}", body);
	assert_int_equal(runtime_config_parse(text, strlen(text), &c, &e), -1);
	assert_int_equal(e.class, ERR_INVALID);
	if (!strstr(e.msg, words))
		fail_msg("'%s' does not say '%s'", e.msg, words);
	runtime_config_done(&c);
}

static void default_survives_writing_and_reading(void **state)
{
	struct runtime_config c = RUNTIME_CONFIG_INIT, again = RUNTIME_CONFIG_INIT;
	struct buf one = BUF_INIT(1 << 20), two = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;

	for (int rootless = 0; rootless < 2; rootless++) {
		assert_int_equal(runtime_config_default(rootless, 1000, 1000, &c, &e), 0);
		assert_int_equal(runtime_config_validate(&c, &e), 0);
		assert_int_equal(runtime_config_write(&c, &one, &e), 0);
		parse_ok(one.data, &again);
		assert_int_equal(runtime_config_write(&again, &two, &e), 0);
		assert_string_equal(one.data, two.data);
		assert_int_equal(again.linux_.ns[OCI_NS_USER].present, rootless);
		runtime_config_done(&c);
		runtime_config_done(&again);
		buf_clear(&one);
		buf_clear(&two);
	}
	buf_done(&one);
	buf_done(&two);
}

static void numbers_of_64_bits_arrive_whole(void **state)
{
	struct runtime_config c = RUNTIME_CONFIG_INIT;
	struct buf out = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;

	parse_ok("{\"ociVersion\":\"1.0.2\",\"annotations\":{\"a\":\"99999999999999999999\"},"
		 "\"process\":{\"args\":[\"a\"],\"cwd\":\"/"
		 "\",\"rlimits\":[{\"type\":\"RLIMIT_CORE\","
		 "\"soft\":9223372036854775808,\"hard\":18446744073709551615}]},"
		 "\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
		 "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":1,"
		 "\"value\":18446744073709551614,\"op\":\"SCMP_CMP_EQ\"}]}]}}}",
		 &c);
	assert_int_equal(c.process.rlimits[0].resource, RLIMIT_CORE);
	assert_true(c.process.rlimits[0].soft == UINT64_C(9223372036854775808));
	assert_true(c.process.rlimits[0].hard == UINT64_MAX);
	assert_true(c.linux_.seccomp.rules[0].args[0].value == UINT64_MAX - 1);
	assert_string_equal(c.annotations.v[0].value, "99999999999999999999");
	assert_int_equal(runtime_config_write(&c, &out, &e), 0);
	assert_non_null(strstr(out.data, "\"hard\": 18446744073709551615"));
	assert_non_null(strstr(out.data, "\"value\": 18446744073709551614"));
	buf_done(&out);
	runtime_config_done(&c);
}

static void unknown_fields_and_capabilities_are_ignored(void **state)
{
	struct runtime_config c = RUNTIME_CONFIG_INIT;

	parse_ok("{\"ociVersion\":\"1.2.1\",\"new\":{},\"process\":{\"args\":[\"a\"],\"cwd\":\"/\","
		 "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_FUTURE\"]}}}",
		 &c);
	assert_true(c.process.has_caps);
	assert_int_equal(c.process.caps.bounding, 1);
	runtime_config_done(&c);
}

static void wrong_fields_are_named(void **state)
{
	static const char *const cases[][2] = {
		{"\"process\":{\"args\":[],\"cwd\":\"/\"}", "process.args"},
		{"\"process\":{\"args\":[\"a\"],\"cwd\":\"x\"}", "process.cwd"},
		{"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"env\":[\"=x\"]}", "process.env[0]"},
		{"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":4294967296}}",
		 "process.user.uid"},
		{"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":4294967295}}",
		 "process.user.uid"},
		{"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":-1}}",
		 "process.user.uid"},
		{"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"X\"}]}",
		 "process.rlimits[0].type"},
		{"\"mounts\":[{\"destination\":\"\"}]", "mounts[0].destination"},
		{"\"process\":{\"args\":[\"a\"],\"cwd\":\"/"
		 "\",\"execCPUAffinity\":{\"final\":\"0-\"}}",
		 "process.execCPUAffinity.final"},
		{"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"scheduler\":{\"policy\":"
		 "\"SCHED_FIFO\"}}",
		 "process.scheduler.priority"},
		{"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"scheduler\":{\"policy\":"
		 "\"SCHED_DEADLINE\",\"runtime\":2,\"deadline\":1,\"period\":3}}",
		 "process.scheduler"},
		{"\"linux\":{\"resources\":{\"memory\":{\"limit\":2000,\"swap\":1000}}}",
		 "linux.resources.memory.swap"},
		{"\"linux\":{\"resources\":{\"memory\":{\"swap\":1000}}}",
		 "linux.resources.memory.swap"},
		{"\"linux\":{\"resources\":{\"cpu\":{\"quota\":1000,\"burst\":2000}}}",
		 "linux.resources.cpu.burst"},
		{"\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}}",
		 "linux.seccomp.defaultAction"},
		{"\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
		 "\"names\":[\"chmod\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}}",
		 "linux.seccomp.listenerPath"},
		{"\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/"
		 "x\","
		 "\"syscalls\":[{\"names\":[\"write\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}}",
		 "linux.seccomp.syscalls[0]"},
		{"\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\","
		 "\"listenerMetadata\":\"x\"}}",
		 "linux.seccomp.listenerMetadata"},
		{"\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}", "hooks.poststop[0].path"},
		{"\"hostname\":\"x\"", "hostname"},
		{"\"linux\":{\"namespaces\":[{\"type\":\"x\"}]}", "linux.namespaces[0].type"},
		{"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}", "twice"},
		{"\"linux\":{\"namespaces\":[{\"type\":\"user\"}]}", "linux.uidMappings"},
		{"\"linux\":{\"resources\":{\"memory\":{\"limit\":\"1g\"}}}",
		 "linux.resources.memory.limit"},
		{"\"linux\":{\"resources\":{\"cpu\":{\"cpus\":\"0-\"}}}",
		 "linux.resources.cpu.cpus"},
		{"\"linux\":{\"resources\":{\"unified\":{\"../x\":\"1\"}}}",
		 "linux.resources.unified"},
		{"\"linux\":{\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"x\"}]}}",
		 "linux.resources.devices[0].access"},
		{"\"linux\":{\"seccomp\":{\"defaultAction\":\"X\"}}",
		 "linux.seccomp.defaultAction"},
		{"\"linux\":{\"maskedPaths\":[\"proc\"]}", "linux.maskedPaths[0]"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		parse_bad(cases[i][0], cases[i][1]);
}

/* Every field that the structs hold is written as it was read. */
static void all_fields_survive_writing_and_reading(void **state)
{
	static const char text[] =
		"{\"ociVersion\":\"1.2.1\",\"root\":{\"path\":\"r\",\"readonly\":true},"
		"\"hostname\":\"h\",\"domainname\":\"d\",\"annotations\":{\"a\":\"b\"},"
		"\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"terminal\":true,\"consoleSize\":{"
		"\"height\":3,\"width\":4},\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,"
		"\"additionalGids\":[5]},\"oomScoreAdj\":-7,\"noNewPrivileges\":true,"
		"\"apparmorProfile\":\"p\",\"selinuxLabel\":\"l\",\"ioPriority\":{\"class\":"
		"\"IOPRIO_CLASS_IDLE\",\"priority\":2},\"scheduler\":{\"policy\":\"SCHED_RR\","
		"\"priority\":3,\"nice\":-1,\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\","
		"\"SCHED_FLAG_RECLAIM\"]},\"execCPUAffinity\":{\"initial\":\"0\",\"final\":\"0-1\"}"
		"},"
		"\"hooks\":{\"createContainer\":[{\"path\":\"/h\",\"timeout\":3,\"args\":[\"h\"],"
		"\"env\":[\"A=b\"]}]},\"mounts\":[{\"destination\":\"m\",\"type\":\"bind\","
		"\"source\":\"/s\",\"options\":[\"ridmap\",\"rro\"],\"uidMappings\":[{"
		"\"containerID\":0,\"hostID\":7,\"size\":1}],\"gidMappings\":[{\"containerID\":0,"
		"\"hostID\":7,\"size\":1}]}],\"linux\":{\"namespaces\":[{\"type\":\"uts\"},{"
		"\"type\":\"time\"},{"
		"\"type\":"
		"\"network\",\"path\":\"/n\"}],\"timeOffsets\":{\"boottime\":{\"secs\":-5,"
		"\"nanosecs\":6}},\"cgroupsPath\":\"/c\",\"rootfsPropagation\":\"rslave\","
		"\"mountLabel\":\"ml\",\"personality\":{\"domain\":\"LINUX32\"},\"resources\":{"
		"\"memory\":{\"limit\":5000,\"reservation\":1,\"swap\":6000,\"kernel\":2,"
		"\"kernelTCP\":3,"
		"\"swappiness\":4,\"disableOOMKiller\":true,\"useHierarchy\":true,"
		"\"checkBeforeUpdate\":true},\"cpu\":{\"shares\":2,\"quota\":10,\"burst\":5,"
		"\"period\":20,"
		"\"realtimeRuntime\":1,\"realtimePeriod\":2,\"idle\":1,\"cpus\":\"0\",\"mems\":"
		"\"0\"},"
		"\"pids\":{\"limit\":9},\"blockIO\":{\"weight\":10,\"leafWeight\":11,"
		"\"weightDevice\":[{"
		"\"major\":1,\"minor\":2,\"weight\":12,\"leafWeight\":13}],"
		"\"throttleReadBpsDevice\":[{"
		"\"major\":1,\"minor\":2,\"rate\":99}]},\"hugepageLimits\":[{\"pageSize\":\"2MB\","
		"\"limit\":1}],\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"lo\","
		"\"priority\":3}]},\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":4}},"
		"\"unified\":{\"memory.high\":\"1\"}},\"seccomp\":{\"defaultAction\":\"SCMP_ACT_"
		"ERRNO\","
		"\"defaultErrnoRet\":38,\"listenerPath\":\"/"
		"l\",\"listenerMetadata\":\"m\",\"flags\":["
		"\"SECCOMP_FILTER_FLAG_LOG\"],\"syscalls\":[{\"names\":[\"chmod\"],\"action\":"
		"\"SCMP_ACT_NOTIFY\"}]}}}";
	static const char *const kept[] = {"\"kernelTCP\": 3",
					   "\"initial\": \"0\"",
					   "SCHED_FLAG_RECLAIM",
					   "\"boottime\"",
					   "\"hcaObjects\": 4",
					   "\"leafWeight\": 13",
					   "\"classID\": 1048577",
					   "\"ridmap\"",
					   "\"listenerMetadata\": \"m\"",
					   "\"checkBeforeUpdate\": true",
					   "LINUX32",
					   "\"burst\": 5",
					   "\"timeout\": 3",
					   "\"mountLabel\": \"ml\"",
					   "\"idle\": 1"};
	struct runtime_config c = RUNTIME_CONFIG_INIT, again = RUNTIME_CONFIG_INIT;
	struct buf one = BUF_INIT(1 << 20), two = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;

	parse_ok(text, &c);
	assert_int_equal(runtime_config_write(&c, &one, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (!strstr(one.data, kept[i]))
			fail_msg("%s is not written", kept[i]);
	parse_ok(one.data, &again);
	assert_int_equal(runtime_config_write(&again, &two, &e), 0);
	assert_string_equal(one.data, two.data);
	runtime_config_done(&c);
	runtime_config_done(&again);
	buf_done(&one);
	buf_done(&two);
}

static void a_class_of_intel_rdt_that_is_no_name_is_refused(void **state)
{
	static const char text[] = "{\"ociVersion\":\"1.2.0\"," PROCESS
				   ",\"linux\":{\"intelRdt\":{\"closID\":\"../x\"}}}";
	struct runtime_config c = RUNTIME_CONFIG_INIT;
	struct err e = ERR_INIT;

	assert_int_equal(runtime_config_parse(text, strlen(text), &c, &e), -1);
	assert_int_equal(e.class, ERR_INVALID);
	assert_non_null(strstr(e.msg, "linux.intelRdt.closID"));
	runtime_config_done(&c);
}

static void E26_sysctls_of_the_host_are_refused(void **state)
{
	static const char *const host[] = {"kernel.core_pattern",  "kernel/core_pattern",
					   "vm.overcommit_memory", "kernel.msgmax/../core_pattern",
					   "kernel.modprobe",      "fs.file-max"};

	for (size_t i = 0; i < ARRAY_SIZE(host); i++) {
		char body[512];

		snprintf(body, sizeof(body),
			 PROCESS ",\"linux\":{\"namespaces\":[{\"type\":\"ipc\"},{\"type\":"
				 "\"network\"},{\"type\":\"uts\"}],\"sysctl\":{\"%s\":\"1\"}}",
			 host[i]);
		parse_bad(body, "linux.sysctl");
	}
	parse_bad(PROCESS ",\"linux\":{\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}}",
		  "network namespace");
	parse_bad(PROCESS ",\"linux\":{\"namespaces\":[{\"type\":\"network\"}],\"sysctl\":{"
			  "\"net.ipv4.ip_forward\":\"1\\nkernel.x=2\"}}",
		  "line break");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_survives_writing_and_reading),
		cmocka_unit_test(numbers_of_64_bits_arrive_whole),
		cmocka_unit_test(unknown_fields_and_capabilities_are_ignored),
		cmocka_unit_test(wrong_fields_are_named),
		cmocka_unit_test(all_fields_survive_writing_and_reading),
		cmocka_unit_test(a_class_of_intel_rdt_that_is_no_name_is_refused),
		cmocka_unit_test(E26_sysctls_of_the_host_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
