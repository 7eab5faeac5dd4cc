// SPDX-License-Identifier: Apache-2.0
/*
 * powercut DIRECTORY: the file system of a directory reaches its disk no more, from this instant on, as when power is cut: nothing that is
 * in memory is written, the journal's end neither. Everything on it is EIO until it is unmounted; what was on the disk is there when it is
 * mounted again. ext4, XFS and a few others can do that (EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define GOING_DOWN _IOR('X', 125, uint32_t)

int main(int argc, char **argv)
{
    uint32_t without_flush = 2;
    int fd;
    if (argc != 2) {
        fprintf(stderr, "usage: powercut DIRECTORY\n");
        return 2;
    }
    fd = open(argv[1], O_RDONLY | O_DIRECTORY);
    if (fd < 0 || ioctl(fd, GOING_DOWN, &without_flush) != 0) {
        fprintf(stderr, "powercut: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    return 0;
}
