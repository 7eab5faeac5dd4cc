// SPDX-License-Identifier: Apache-2.0
/*
 * What a C program does to read from an NVMe controller by VFIO, polled: one queue pair, the doorbells in memory where the controller has
 * them, nothing between the commands and the queues. And what it does to read from the kernel's own driver.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
  PAGE = 4096,
  MEMORY = 2 << 20,
  ADMIN_ENTRIES = 32,
  ENTRIES = 64,
  BLOCK = 512,
  CAP = 0x00,
  CC = 0x14,
  CSTS = 0x1c,
  AQA = 0x24,
  ASQ = 0x28,
  ACQ = 0x30,
  DOORBELLS = 0x1000,
  CREATE_SUBMISSION_QUEUE = 0x01,
  CREATE_COMPLETION_QUEUE = 0x05,
  IDENTIFY = 0x06,
  DOORBELL_BUFFER_CONFIG = 0x7c,
  READ = 0x02,
  OACS = 256,
  OACS_DOORBELL_BUFFERS = 1 << 8,
};

/* Where things are in the memory that the device reaches, in pages. */
enum { ADMIN_SQ, ADMIN_CQ, SQ, CQ, SHADOWS, EVENTS, IDENTITY, DATA = 16 };

struct command {
  uint32_t head, namespace;
  uint64_t reserved, metadata, prp1, prp2;
  uint32_t word10, word11, word12, word13, word14, word15;
};

struct completion {
  uint32_t result, reserved;
  uint16_t sq_head, sq_id, id, status;
};

struct queue {
  struct command *commands;
  volatile struct completion *completions;
  volatile uint32_t *sq_doorbell, *cq_doorbell;
  volatile uint32_t *sq_shadow, *cq_shadow, *sq_event, *cq_event; /* null without */
  int entries, tail, shown, head, phase;
};

static const char *failed;
static int failed_errno;

/* What failed and why: for the caller who got a null or a negative number. */
const char *nvmeperf_failure(void) {
  static char text[200];
  snprintf(text, sizeof text, "%s: %s", failed, strerror(failed_errno));
  return text;
}

static int fail(const char *what) {
  failed = what;
  failed_errno = errno;
  return -1;
}

struct nvmeperf {
  int container, group, device;
  volatile char *registers;
  char *memory;
  uint64_t iova;
  size_t register_size;
  int stride;
  struct queue admin, io;
  uint64_t random;
};

static uint64_t address(struct nvmeperf *n, int page) { return n->iova + (uint64_t)page * PAGE; }

static void set64(struct nvmeperf *n, int offset, uint64_t value) {
  *(volatile uint32_t *)(n->registers + offset) = htole32((uint32_t)value);
  *(volatile uint32_t *)(n->registers + offset + 4) = htole32((uint32_t)(value >> 32));
}

static uint32_t get32(struct nvmeperf *n, int offset) { return le32toh(*(volatile uint32_t *)(n->registers + offset)); }
static void set32(struct nvmeperf *n, int offset, uint32_t value) { *(volatile uint32_t *)(n->registers + offset) = htole32(value); }

static void init(struct nvmeperf *n, struct queue *q, int id, int sq, int cq, int entries) {
  *q = (struct queue){
      .commands = (struct command *)(n->memory + sq * PAGE),
      .completions = (struct completion *)(n->memory + cq * PAGE),
      .sq_doorbell = (uint32_t *)(n->registers + DOORBELLS + 2 * id * n->stride),
      .cq_doorbell = (uint32_t *)(n->registers + DOORBELLS + (2 * id + 1) * n->stride),
      .entries = entries,
      .phase = 1,
  };
}

/* Whether the device has asked to be told by register, going from the old value to the new. */
static int is_awaited(volatile uint32_t *shadow, volatile uint32_t *event, uint16_t value) {
  uint16_t old = le32toh(*shadow);
  *shadow = htole32(value);
  atomic_thread_fence(memory_order_seq_cst);
  uint16_t awaited = le32toh(*event);
  return (uint16_t)(value - awaited - 1) < (uint16_t)(value - old);
}

static inline void put(struct queue *q, const struct command *command) {
  q->commands[q->tail] = *command;
  if (++q->tail == q->entries) q->tail = 0;
}

static inline void show(struct queue *q) {
  if (q->tail == q->shown) return;
  atomic_thread_fence(memory_order_release);
  if (!q->sq_shadow || is_awaited(q->sq_shadow, q->sq_event, q->tail)) {
    atomic_thread_fence(memory_order_seq_cst);
    *q->sq_doorbell = htole32(q->tail);
  }
  q->shown = q->tail;
}

/* The next completion, or null. */
static inline volatile struct completion *next(struct queue *q) {
  volatile struct completion *c = &q->completions[q->head];
  if ((le16toh(c->status) & 1) != q->phase) return NULL;
  atomic_thread_fence(memory_order_acquire);
  if (++q->head == q->entries) {
    q->head = 0;
    q->phase ^= 1;
  }
  return c;
}

static inline void acknowledge(struct queue *q) {
  if (!q->cq_shadow || is_awaited(q->cq_shadow, q->cq_event, q->head)) *q->cq_doorbell = htole32(q->head);
}

static int admin(struct nvmeperf *n, int opcode, uint32_t namespace, int prp1, int prp2, uint32_t word10, uint32_t word11) {
  struct command command = {
      .head = htole32(opcode),
      .namespace = htole32(namespace),
      .prp1 = htole64(address(n, prp1)),
      .prp2 = prp2 ? htole64(address(n, prp2)) : 0,
      .word10 = htole32(word10),
      .word11 = htole32(word11),
  };
  volatile struct completion *c;
  put(&n->admin, &command);
  show(&n->admin);
  while (!(c = next(&n->admin))) {}
  acknowledge(&n->admin);
  errno = EIO;
  return le16toh(c->status) >> 1 ? fail("an admin command") : 0;
}

static int map(struct nvmeperf *n) {
  struct vfio_iommu_type1_dma_map type1 = {.argsz = sizeof type1, .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE};
  struct vfio_iommu_spapr_tce_info window = {.argsz = sizeof window};
  n->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (n->memory == MAP_FAILED) return fail("mmap");
  n->iova = MEMORY;
  if (!ioctl(n->container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_IOMMU)) {
    if (ioctl(n->container, VFIO_IOMMU_SPAPR_TCE_GET_INFO, &window)) return fail("VFIO_IOMMU_SPAPR_TCE_GET_INFO");
    if (ioctl(n->container, VFIO_IOMMU_ENABLE)) return fail("VFIO_IOMMU_ENABLE");
    n->iova += window.dma32_window_start;
  } else if (ioctl(n->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)) {
    return fail("VFIO_SET_IOMMU");
  }
  type1.vaddr = (uintptr_t)n->memory;
  type1.iova = n->iova;
  type1.size = MEMORY;
  return ioctl(n->container, VFIO_IOMMU_MAP_DMA, &type1) ? fail("VFIO_IOMMU_MAP_DMA") : 0;
}

static int open_device(struct nvmeperf *n, const char *bdf) {
  char path[100], link[200], file[100];
  struct vfio_region_info bar = {.argsz = sizeof bar, .index = VFIO_PCI_BAR0_REGION_INDEX};
  struct vfio_region_info config = {.argsz = sizeof config, .index = VFIO_PCI_CONFIG_REGION_INDEX};
  uint16_t control;
  snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/iommu_group", bdf);
  ssize_t length = readlink(path, link, sizeof link - 1);
  if (length < 0) return fail("iommu_group");
  link[length] = 0;
  snprintf(file, sizeof file, "/dev/vfio/%s", strrchr(link, '/') + 1);
  if ((n->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC)) < 0) return fail("/dev/vfio/vfio");
  if ((n->group = open(file, O_RDWR | O_CLOEXEC)) < 0) return fail("the group's file");
  if (ioctl(n->group, VFIO_GROUP_SET_CONTAINER, &n->container)) return fail("VFIO_GROUP_SET_CONTAINER");
  if (map(n)) return -1;
  if ((n->device = ioctl(n->group, VFIO_GROUP_GET_DEVICE_FD, bdf)) < 0) return fail("VFIO_GROUP_GET_DEVICE_FD");
  if (ioctl(n->device, VFIO_DEVICE_GET_REGION_INFO, &bar)) return fail("VFIO_DEVICE_GET_REGION_INFO");
  if (ioctl(n->device, VFIO_DEVICE_GET_REGION_INFO, &config)) return fail("VFIO_DEVICE_GET_REGION_INFO");
  if (pread(n->device, &control, 2, config.offset + 4) != 2) return fail("pread of COMMAND");
  control |= htole16(6); /* memory and bus master */
  if (pwrite(n->device, &control, 2, config.offset + 4) != 2) return fail("pwrite of COMMAND");
  void *registers = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, n->device, bar.offset);
  if (registers == MAP_FAILED) return fail("mmap of BAR 0");
  n->registers = registers;
  n->register_size = bar.size;
  return 0;
}

static int start(struct nvmeperf *n, int wants_shadows) {
  uint64_t cap = get32(n, CAP) | (uint64_t)get32(n, CAP + 4) << 32;
  n->stride = 4 << (cap >> 32 & 15);
  set32(n, CC, 0);
  while (get32(n, CSTS) & 1) {}
  init(n, &n->admin, 0, ADMIN_SQ, ADMIN_CQ, ADMIN_ENTRIES);
  set32(n, AQA, (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1));
  set64(n, ASQ, address(n, ADMIN_SQ));
  set64(n, ACQ, address(n, ADMIN_CQ));
  set32(n, CC, 4 << 20 | 6 << 16 | 1); /* entries of 16 and 64 bytes, enabled */
  while (!(get32(n, CSTS) & 1)) {}
  if (admin(n, IDENTIFY, 0, IDENTITY, 0, 1, 0)) return -1;
  int has_shadows = wants_shadows && le16toh(*(uint16_t *)(n->memory + IDENTITY * PAGE + OACS)) & OACS_DOORBELL_BUFFERS;
  if (has_shadows && admin(n, DOORBELL_BUFFER_CONFIG, 0, SHADOWS, EVENTS, 0, 0)) return -1;
  if (has_shadows) {
    n->admin.sq_shadow = (uint32_t *)(n->memory + SHADOWS * PAGE);
    n->admin.cq_shadow = (uint32_t *)(n->memory + SHADOWS * PAGE + n->stride);
    n->admin.sq_event = (uint32_t *)(n->memory + EVENTS * PAGE);
    n->admin.cq_event = (uint32_t *)(n->memory + EVENTS * PAGE + n->stride);
    *n->admin.sq_shadow = htole32(n->admin.tail);
    *n->admin.cq_shadow = htole32(n->admin.head);
  }
  init(n, &n->io, 1, SQ, CQ, ENTRIES);
  if (admin(n, CREATE_COMPLETION_QUEUE, 0, CQ, 0, (ENTRIES - 1) << 16 | 1, 1)) return -1;
  if (admin(n, CREATE_SUBMISSION_QUEUE, 0, SQ, 0, (ENTRIES - 1) << 16 | 1, 1 << 16 | 1)) return -1;
  if (has_shadows) {
    n->io.sq_shadow = (uint32_t *)(n->memory + SHADOWS * PAGE + 2 * n->stride);
    n->io.cq_shadow = (uint32_t *)(n->memory + SHADOWS * PAGE + 3 * n->stride);
    n->io.sq_event = (uint32_t *)(n->memory + EVENTS * PAGE + 2 * n->stride);
    n->io.cq_event = (uint32_t *)(n->memory + EVENTS * PAGE + 3 * n->stride);
  }
  return 0;
}

/* Gives everything back; the kernel does, for the descriptors. */
void nvmeperf_close(struct nvmeperf *n) {
  if (n->registers) {
    set32(n, CC, 0);
    munmap((void *)n->registers, n->register_size);
  }
  if (n->device > 0) close(n->device);
  if (n->group > 0) close(n->group);
  if (n->container > 0) close(n->container);
  if (n->memory) munmap(n->memory, MEMORY);
  free(n);
}

/* Null if it failed. Whether doorbells are to be in memory is the caller's to say. */
struct nvmeperf *nvmeperf_open(const char *bdf, int wants_shadows) {
  struct nvmeperf *n = calloc(1, sizeof *n);
  n->random = 88172645463325252;
  if (open_device(n, bdf) || start(n, wants_shadows)) {
    nvmeperf_close(n);
    return NULL;
  }
  return n;
}

static uint64_t random_number(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

/*
 * Makes count reads of so many blocks (8 at most) from random places of the first 2^area blocks, depth of them (32 at most) in flight.
 * Returns how many nanoseconds it took, or -1 if one failed.
 */
int64_t nvmeperf_read(struct nvmeperf *n, int64_t count, int depth, int blocks, int area) {
  struct timespec begin, end;
  struct command commands[32];
  int64_t started = 0, ended = 0;
  memset(commands, 0, sizeof commands);
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (; started < depth && started < count; started++) {
    struct command *command = &commands[started];
    command->head = htole32(READ | started << 16);
    command->namespace = htole32(1);
    command->prp1 = htole64(address(n, DATA + started));
    command->word10 = htole32(random_number(&n->random) >> (64 - area) & -blocks);
    command->word12 = htole32(blocks - 1);
    put(&n->io, command);
  }
  show(&n->io);
  while (ended < count) {
    volatile struct completion *c;
    int reaped = 0;
    while ((c = next(&n->io))) {
      errno = EIO;
      if (le16toh(c->status) >> 1) return fail("a Read");
      reaped++;
      if (started < count) {
        struct command *command = &commands[le16toh(c->id)];
        command->word10 = htole32(random_number(&n->random) >> (64 - area) & -blocks);
        put(&n->io, command);
        started++;
      }
    }
    if (reaped) {
      acknowledge(&n->io);
      ended += reaped;
      show(&n->io);
    }
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  return (end.tv_sec - begin.tv_sec) * 1000000000ll + end.tv_nsec - begin.tv_nsec;
}

/* The same with the kernel's own driver, one read at a time; the descriptor is to be of a block device, opened with O_DIRECT. */
int64_t odirect_read(int fd, int64_t count, int blocks, int area) {
  static _Thread_local uint64_t random = 88172645463325252;
  static _Thread_local char *buffer;
  struct timespec begin, end;
  if (!buffer) buffer = aligned_alloc(PAGE, PAGE);
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int64_t i = 0; i < count; i++) {
    uint64_t block = random_number(&random) >> (64 - area) & -blocks;
    if (pread(fd, buffer, (size_t)blocks * BLOCK, block * BLOCK) != blocks * BLOCK) return fail("pread");
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  return (end.tv_sec - begin.tv_sec) * 1000000000ll + end.tv_nsec - begin.tv_nsec;
}

/* A block device for odirect_read; negative if it failed. */
int odirect_open(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
  return fd < 0 ? fail("open") : fd;
}
