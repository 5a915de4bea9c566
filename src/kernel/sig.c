/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/sig.h"

#include "base/num.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>

/* glibc keeps 32 and 33 for itself, so RTMIN is 34 for it and for docker. */
enum { RT_FIRST = 34, RT_LAST = 64 };

static const struct {
	const char *name;
	int number;
} names[] = {
	{"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"BUS", SIGBUS},       {"CHLD", SIGCHLD},
	{"CLD", SIGCHLD},  {"CONT", SIGCONT}, {"FPE", SIGFPE},       {"HUP", SIGHUP},
	{"ILL", SIGILL},   {"INT", SIGINT},   {"IO", SIGIO},         {"IOT", SIGABRT},
	{"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"POLL", SIGIO},       {"PROF", SIGPROF},
	{"PWR", SIGPWR},   {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV},     {"STKFLT", SIGSTKFLT},
	{"STOP", SIGSTOP}, {"SYS", SIGSYS},   {"TERM", SIGTERM},     {"TRAP", SIGTRAP},
	{"TSTP", SIGTSTP}, {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},
	{"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH},
	{"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
};

/* "", "+3" or "-3" after RTMIN or RTMAX. */
static int real_time(int from, const char *offset)
{
	uint64_t n = 0;

	if (*offset && ((*offset != '+' && *offset != '-') ||
			num_u64(offset + 1, 0, RT_LAST - RT_FIRST, &n) < 0))
		return -EINVAL;
	from += *offset == '-' ? -(int)n : (int)n;
	return from < RT_FIRST || from > RT_LAST ? -EINVAL : from;
}

int sig_number(const char *name)
{
	uint64_t n;

	if (num_u64(name, 1, SIG_NUMBER_MAX, &n) == 0)
		return (int)n;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	if (strncasecmp(name, "RTMIN", 5) == 0)
		return real_time(RT_FIRST, name + 5);
	if (strncasecmp(name, "RTMAX", 5) == 0)
		return real_time(RT_LAST, name + 5);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i].name, name) == 0)
			return names[i].number;
	return -EINVAL;
}

const char *sig_name(int sig, char out[SIG_NAME_SIZE])
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].number == sig) {
			snprintf(out, SIG_NAME_SIZE, "%s", names[i].name);
			return out;
		}
	}
	if (sig == RT_FIRST)
		snprintf(out, SIG_NAME_SIZE, "RTMIN");
	else if (sig == RT_LAST)
		snprintf(out, SIG_NAME_SIZE, "RTMAX");
	else if (sig > RT_FIRST && sig < RT_LAST)
		snprintf(out, SIG_NAME_SIZE, "RTMIN+%d", sig - RT_FIRST);
	else
		snprintf(out, SIG_NAME_SIZE, "%d", sig);
	return out;
}
