// SPDX-License-Identifier: Apache-2.0
/* What a C program does to take memory away from a device and to give it back: two ioctls, again and again. */
#include <stdint.h>
#include <sys/ioctl.h>

/* Returns how many of the calls failed. */
int64_t remap(int64_t count, int fd, unsigned long unmap, void *unmap_struct, unsigned long map, void *map_struct) {
  int64_t failures = 0;
  for (int64_t i = 0; i < count; i++) {
    failures += ioctl(fd, unmap, unmap_struct) != 0;
    failures += ioctl(fd, map, map_struct) != 0;
  }
  return failures;
}
