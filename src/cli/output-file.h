/* SPDX-License-Identifier: Apache-2.0 */
/* The file that -o names: what was made of it goes again where the command fails. */
#ifndef KOGGE_CLI_OUTPUT_FILE_H
#define KOGGE_CLI_OUTPUT_FILE_H

#include "base/err.h"

struct output_file {
	int fd;
	int dir;    /* where it is */
	char *name; /* in DIR; NULL where it was there before */
};

#define OUTPUT_FILE_INIT ((struct output_file){.fd = -1, .dir = -1})

/* Opens PATH for writing, empty; a new file gets mode 0600. */
int output_file_open(struct output_file *f, const char *path, struct err *e);

/* It is complete and stays. */
void output_file_keep(struct output_file *f);

/* Closes it, and removes it where it was made by output_file_open and is not to be kept. */
void output_file_done(struct output_file *f);

#endif
