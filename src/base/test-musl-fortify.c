/* SPDX-License-Identifier: Apache-2.0 */
/* That base/musl-fortify.h ends a program whose call writes more than there is room for, whether
 * the compiler knows the size or computes it, and lets the others be. Without cmocka, which is made
 * for another C library. */
#include "base/macro.h"

#include <stdlib.h>
#include <signal.h>
#include <sys/wait.h>

enum how { MEMCPY, MEMMOVE, MEMSET, SNPRINTF, READ, READLINK, MEMBER, HOWS };

static const char from[64] = "short";

struct pair {
	char first[8], second[8];
};

static inline __attribute__((always_inline)) void write_to(enum how how, char *p, size_t n)
{
	int zero[2];

	if (how == MEMCPY)
		memcpy(p, from, n);
	else if (how == MEMMOVE)
		memmove(p, from, n);
	else if (how == MEMSET)
		memset(p, 1, n);
	else if (how == SNPRINTF)
		(void)snprintf(p, n, "%s", from);
	else if (how == READ && pipe(zero) == 0 && write(zero[1], from, sizeof(from)) > 0)
		(void)!read(zero[0], p, n);
	else if (how == READLINK)
		(void)!readlink("/proc/self/exe", p, n);
}

__attribute__((noipa)) static void child(enum how how, size_t room, size_t n)
{
	struct pair pair;
	char array[8];
	char *p = malloc(room);

	if (how == MEMBER) {
		(void)snprintf(pair.first, n, "%s", from);
		__asm__ volatile("" ::"r"(&pair) : "memory");
		return;
	}
	write_to(how, p, n);
	write_to(how, array, n);
	__asm__ volatile("" ::"r"(p), "r"(array) : "memory");
	free(p);
}

static bool survives(enum how how, size_t room, size_t n)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		child(how, room, n);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}

int main(int argc, char *argv[])
{
	size_t room = (size_t)argc * 8;

	(void)argv;
	for (enum how how = 0; how < HOWS; how++) {
		if (!survives(how, room, room) || survives(how, room, room + 1)) {
			printf("call %d: not as it should be\n", (int)how);
			return 1;
		}
	}
	return 0;
}
