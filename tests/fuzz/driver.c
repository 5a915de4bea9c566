/* SPDX-License-Identifier: Apache-2.0 */
/* Replays a corpus through a fuzz target: every regular file below the folders named on the
 * command line is one input. So what a fuzzer once found stays tested in every build, also where
 * there is no libFuzzer. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX (64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The file NAME of the folder DIR, or NULL when it is no regular file. */
static uint8_t *read_input(int dir, const char *name, size_t *ret_n)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	uint8_t *data = NULL;
	size_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > INPUT_MAX)
		goto done;
	/* Exactly as long as the input, so that a sanitizer sees reads behind it. */
	data = malloc((size_t)st.st_size + !st.st_size);
	while (data && n < (size_t)st.st_size) {
		ssize_t got = read(fd, data + n, (size_t)st.st_size - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	*ret_n = n;
done:
	if (fd >= 0)
		close(fd);
	return data;
}

static int replay(const char *folder)
{
	DIR *d = opendir(folder);
	int n_inputs = 0;

	if (!d)
		return 0;
	for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
		size_t n = 0;
		uint8_t *data = read_input(dirfd(d), entry->d_name, &n);

		if (!data)
			continue;
		fprintf(stderr, "input %s\n", entry->d_name);
		LLVMFuzzerTestOneInput(data, n);
		free(data);
		n_inputs++;
	}
	closedir(d);
	return n_inputs;
}

int main(int argc, char **argv)
{
	int n = 0;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		n += replay(argv[i]);
	printf("%d inputs\n", n);
	return 0;
}
