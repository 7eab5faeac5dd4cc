/* The same work as the benchmarks', in C: loops of the same shape, called from the same JVM. */
#include <stdint.h>
#include <sys/ioctl.h>

/* Sums the answers, so that none of the calls can be left out. */
int64_t peer_ioctl(int64_t count, int fd, unsigned long request, void *argument) {
  int64_t sum = 0;
  for (int64_t i = 0; i < count; i++) sum += ioctl(fd, request, argument);
  return sum;
}

int64_t peer_read32(int64_t count, volatile uint32_t *reg) {
  int64_t sum = 0;
  for (int64_t i = 0; i < count; i++) sum += (int32_t)*reg;
  return sum;
}

/* Each address comes from the read before: the time until a value is there. */
int64_t peer_dependent32(int64_t count, char *region, uint32_t offset) {
  for (int64_t i = 0; i < count; i++) offset = *(volatile uint32_t *)(region + offset);
  return offset;
}

void peer_write32(int64_t count, volatile uint32_t *reg) {
  for (int64_t i = 0; i < count; i++) *reg = (uint32_t)i;
}

void peer_modify32(int64_t count, volatile uint32_t *reg) {
  for (int64_t i = 0; i < count; i++) *reg = *reg + 1;
}
