/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages out of the same tables as --help, so that they agree. */
#ifndef KOGGE_CLI_MAN_H
#define KOGGE_CLI_MAN_H

#include "cli/cli.h"

/* Writes the page of the command that PATH ("kogge image ls") reaches, as troff. */
void cli_man(const struct cli_command *cmd, const char *path, FILE *to);

/* Prints the path of each command below CMD that this version has, one a line. */
void cli_man_list(const struct cli_command *cmd, const char *path, FILE *to);

#endif
