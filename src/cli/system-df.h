/* SPDX-License-Identifier: Apache-2.0 */
/* system df --verbose. */
#ifndef KOGGE_CLI_SYSTEM_DF_H
#define KOGGE_CLI_SYSTEM_DF_H

#include "cli/cli.h"

/* Prints what each image, container, volume and result of a build step takes: four tables, or
 * FORMAT over one object with these lists in it. */
int system_df_verbose(struct cli_context *c, const char *format, struct err *e);

#endif
