/* SPDX-License-Identifier: Apache-2.0 */
/* Every verb, one file each; the tree (tree.c) puts them in order. Where a verb stands at the top
 * and in a group it is two commands over one table and one function. */
#ifndef KOGGE_CLI_VERBS_H
#define KOGGE_CLI_VERBS_H

#include "cli/cli.h"

/* The commands. */
extern const struct cli_command cli_build, cli_image_build;
extern const struct cli_command cli_builder_du, cli_builder_prune;
extern const struct cli_command cli_images, cli_image_ls;
extern const struct cli_command cli_image_inspect, cli_inspect, cli_container_inspect;
extern const struct cli_command cli_rmi, cli_image_rm;
extern const struct cli_command cli_image_prune;
extern const struct cli_command cli_tag, cli_image_tag;
extern const struct cli_command cli_history, cli_image_history;
extern const struct cli_command cli_load, cli_image_load;
extern const struct cli_command cli_save, cli_image_save;
extern const struct cli_command cli_import, cli_image_import;
extern const struct cli_command cli_system_df, cli_system_prune, cli_system_check;
extern const struct cli_command cli_info, cli_system_info, cli_version;
extern const struct cli_command cli_run, cli_container_run;
extern const struct cli_command cli_create, cli_container_create;
extern const struct cli_command cli_start, cli_container_start;
extern const struct cli_command cli_ps, cli_container_ls;
extern const struct cli_command cli_rm, cli_container_rm;
extern const struct cli_command cli_container_prune;
extern const struct cli_command cli_wait, cli_container_wait;
extern const struct cli_command cli_kill, cli_container_kill;
extern const struct cli_command cli_login, cli_logout;
extern const struct cli_command cli_pull, cli_image_pull;
extern const struct cli_command cli_image_copy, cli_search;
extern const struct cli_command cli_manifest_annotate, cli_manifest_create, cli_manifest_inspect;
extern const struct cli_command cli_manifest_push, cli_manifest_rm;
extern const struct cli_command cli_push, cli_image_push;
extern const struct cli_command cli_pause, cli_container_pause;
extern const struct cli_command cli_unpause, cli_container_unpause;
extern const struct cli_command cli_rename, cli_container_rename;
extern const struct cli_command cli_restart, cli_container_restart;
extern const struct cli_command cli_stop, cli_container_stop;
extern const struct cli_command cli_exec, cli_container_exec;
extern const struct cli_command cli_port, cli_container_port;
extern const struct cli_command cli_stats, cli_container_stats;
extern const struct cli_command cli_top, cli_container_top;
extern const struct cli_command cli_update, cli_container_update;
extern const struct cli_command cli_events, cli_system_events;
extern const struct cli_command cli_diff, cli_container_diff;
extern const struct cli_command cli_export, cli_container_export;
extern const struct cli_command cli_commit, cli_container_commit;
extern const struct cli_command cli_cp, cli_container_cp;
extern const struct cli_command cli_volume_create, cli_volume_inspect, cli_volume_ls;
extern const struct cli_command cli_network_connect, cli_network_create, cli_network_disconnect;
extern const struct cli_command cli_network_inspect, cli_network_ls, cli_network_prune;
extern const struct cli_command cli_network_rm;
extern const struct cli_command cli_volume_prune, cli_volume_rm;
extern const struct cli_command cli_logs, cli_container_logs;
extern const struct cli_command cli_attach, cli_container_attach;
extern const struct cli_command cli_autostart, cli_health, cli_boot, cli_halt, cli_exec_left;
extern const struct cli_command cli_end, cli_keep, cli_maintain; /* for monitors, not for users */

#define CLI_FORMAT_HELP                                                                            \
	"How to print:\n'table':            A table with headers (default)\n"                      \
	"'table TEMPLATE':   A table of what the Go template gives\n"                              \
	"'json':             One JSON object a line\n"                                             \
	"'TEMPLATE':         What the Go template gives"
#define CLI_FORMAT_HELP_OBJECT                                                                     \
	"How to print:\n'json':             As JSON\n"                                             \
	"'TEMPLATE':         What the Go template gives"

#endif
