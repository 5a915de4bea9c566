/* SPDX-License-Identifier: Apache-2.0 */
/* Small processes that wait for long: what only their start needed is given back. */
#ifndef KOGGE_MONITOR_SETTLE_H
#define KOGGE_MONITOR_SETTLE_H

/* Gives the pages of the program's text back that are mapped now; those that are needed again come
 * from the page cache. */
void memory_settle(void);

#endif
