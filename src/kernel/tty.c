/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/tty.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Major 5, minor 2: TTYAUX_MAJOR of the kernel's tty_io.c, the multiplexer of every devpts. */
static bool is_ptmx(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == 5 &&
	       minor(st.st_rdev) == 2;
}

int tty_open_pair(int devpts, int *ret_master, int *ret_slave)
{
	_cleanup_(fd_close) int master = -1, slave = -1;
	struct statfs fs;
	int unlock = 0;

	/* In a devpts nobody can put anything in the place of ptmx. */
	if (fstatfs(devpts, &fs) < 0)
		return -errno;
	if (fs.f_type != DEVPTS_SUPER_MAGIC)
		return -ENODEV;
	master = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (master < 0)
		return -errno;
	if (!is_ptmx(master))
		return -ENODEV;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return -errno;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	*ret_master = TAKE_FD(master);
	*ret_slave = TAKE_FD(slave);
	return 0;
}

int tty_number(int master)
{
	unsigned n;

	return ioctl(master, TIOCGPTN, &n) < 0 ? -errno : (int)n;
}

int tty_make_controlling(int slave, bool steal)
{
	return ioctl(slave, TIOCSCTTY, steal ? 1 : 0) < 0 ? -errno : 0;
}

int tty_raw(int fd, struct termios *ret_saved)
{
	struct termios t;

	if (tcgetattr(fd, ret_saved) < 0)
		return -errno;
	t = *ret_saved;
	cfmakeraw(&t);
	return tcsetattr(fd, TCSANOW, &t) < 0 ? -errno : 0;
}

int tty_restore(int fd, const struct termios *saved)
{
	return tcsetattr(fd, TCSANOW, saved) < 0 ? -errno : 0;
}

int tty_get_size(int fd, struct winsize *ret)
{
	return ioctl(fd, TIOCGWINSZ, ret) < 0 ? -errno : 0;
}

int tty_set_size(int fd, unsigned rows, unsigned cols)
{
	struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

	if (rows > UINT16_MAX || cols > UINT16_MAX)
		return -ERANGE;
	return ioctl(fd, TIOCSWINSZ, &w) < 0 ? -errno : 0;
}
