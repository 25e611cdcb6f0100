#ifndef SLIPWAY_CSHIM_LINUX_H
#define SLIPWAY_CSHIM_LINUX_H

/* setns(2), which the C library declares only under _GNU_SOURCE. */
extern int setns(int fd, int type);

/* CLONE_NEWNET of <linux/sched.h>: a network namespace. */
static const int slipway_new_network = 0x40000000;

#endif
