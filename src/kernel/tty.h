/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo terminals and terminal modes. Functions return 0, a descriptor, or a negative errno. */
#ifndef KOGGE_KERNEL_TTY_H
#define KOGGE_KERNEL_TTY_H

#include "base/macro.h"

#include <sys/ioctl.h>
#include <termios.h>

/* Makes a pair from the devpts whose root directory is DEVPTS: its own "ptmx" is opened (verified
 * as a device of devpts) and the other end comes from TIOCGPTPEER, never by a path
 * (CVE-2025-52565). Both are close-on-exec and O_NOCTTY. */
int tty_open_pair(int devpts, int *ret_master, int *ret_slave);

/* The number of the pair that MASTER belongs to: /dev/pts/<n>. */
int tty_number(int master);

/* Makes the terminal the controlling one of the calling session leader. With STEAL taken from
 * another session (root only). */
int tty_make_controlling(int slave, bool steal);

/* Puts the terminal into raw mode and stores how it was. -ENOTTY. */
int tty_raw(int fd, struct termios *ret_saved);

/* Puts the terminal back to what tty_raw stored. */
int tty_restore(int fd, const struct termios *saved);

/* The window size. -ENOTTY. */
int tty_get_size(int fd, struct winsize *ret);
/* Sets rows and columns (at most 65,535, else -ERANGE); the foreground group gets SIGWINCH. */
int tty_set_size(int fd, unsigned rows, unsigned cols);

#endif
