#ifndef SLIPWAY_CSHIM_LINUX_H
#define SLIPWAY_CSHIM_LINUX_H

#include <linux/fs.h>
#include <sys/ioctl.h>

/* setns(2) and syncfs(2), which the C library declares only under _GNU_SOURCE. */
extern int setns(int fd, int type);
extern int syncfs(int fd);

/* CLONE_NEWNET of <linux/sched.h>: a network namespace. */
static const int slipway_new_network = 0x40000000;

/* ioctl(2) is variadic, and its requests are macros, which Swift cannot call. */
static inline int slipway_get_file_flags(int fd, int *flags) {
    return ioctl(fd, FS_IOC_GETFLAGS, flags);
}

static inline int slipway_set_file_flags(int fd, const int *flags) {
    return ioctl(fd, FS_IOC_SETFLAGS, flags);
}

/* FS_TOPDIR_FL: folders made in this one have nothing to do with each other. */
static const int slipway_top_folder = FS_TOPDIR_FL;

#endif
