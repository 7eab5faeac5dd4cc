// SPDX-License-Identifier: Apache-2.0
/* The same work as the benchmarks', in C: loops of the same shape, called from the same JVM. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

/*
 * IO virtual addresses, first fit: a red-black tree of mappings in which every node knows the largest gap in front of
 * a mapping of its subtree, as kernels keep them. A node is a cache line; nodes come from a pool, last freed first used.
 */
struct mapping {
  struct mapping *left, *right;
  uintptr_t parent; /* and in bit 0 whether the node is red */
  uint64_t start, last;
  uint64_t gap, largest; /* free bytes in front; the largest gap of the subtree */
  void *owner;
};

struct iova_tree {
  struct mapping *root;
  struct mapping *pool;
  struct mapping *slabs[4096];
  int slab_count;
};

enum { SLAB_NODES = 4096 };

static struct mapping *node_new(struct iova_tree *tree) {
  if (!tree->pool) {
    struct mapping *slab = aligned_alloc(64, SLAB_NODES * sizeof *slab);
    if (!slab || tree->slab_count == 4096) abort();
    tree->slabs[tree->slab_count++] = slab;
    for (int i = SLAB_NODES - 1; i >= 0; i--) {
      slab[i].left = tree->pool;
      tree->pool = &slab[i];
    }
  }
  struct mapping *n = tree->pool;
  tree->pool = n->left;
  return n;
}

static void node_free(struct iova_tree *tree, struct mapping *n) {
  n->left = tree->pool;
  tree->pool = n;
}

static inline struct mapping *parent_of(const struct mapping *n) { return (struct mapping *)(n->parent & ~(uintptr_t)1); }
static inline int is_red(const struct mapping *n) { return n && (n->parent & 1); }
static inline void set_parent(struct mapping *n, struct mapping *p) { n->parent = (uintptr_t)p | (n->parent & 1); }
static inline void set_red(struct mapping *n) { n->parent |= 1; }
static inline void set_black(struct mapping *n) { n->parent &= ~(uintptr_t)1; }

static inline uint64_t largest_of(const struct mapping *n) {
  uint64_t largest = n->gap;
  if (n->left && n->left->largest > largest) largest = n->left->largest;
  if (n->right && n->right->largest > largest) largest = n->right->largest;
  return largest;
}

/* Up to where nothing changes any more. */
static void propagate(struct mapping *n) {
  for (; n; n = parent_of(n)) {
    uint64_t largest = largest_of(n);
    if (largest == n->largest) return;
    n->largest = largest;
  }
}

static inline void replace_child(struct iova_tree *tree, struct mapping *parent, struct mapping *old, struct mapping *new) {
  if (!parent) tree->root = new;
  else if (parent->left == old) parent->left = new;
  else parent->right = new;
}

static void rotate_left(struct iova_tree *tree, struct mapping *n) {
  struct mapping *up = n->right, *parent = parent_of(n);
  n->right = up->left;
  if (up->left) set_parent(up->left, n);
  up->left = n;
  set_parent(up, parent);
  replace_child(tree, parent, n, up);
  set_parent(n, up);
  up->largest = n->largest;
  n->largest = largest_of(n);
}

static void rotate_right(struct iova_tree *tree, struct mapping *n) {
  struct mapping *up = n->left, *parent = parent_of(n);
  n->left = up->right;
  if (up->right) set_parent(up->right, n);
  up->right = n;
  set_parent(up, parent);
  replace_child(tree, parent, n, up);
  set_parent(n, up);
  up->largest = n->largest;
  n->largest = largest_of(n);
}

/* Inserts a node in front of another, whose gap the caller has set anew, as that of the node. */
static void tree_insert(struct iova_tree *tree, struct mapping *n, struct mapping *next) {
  struct mapping *parent = next;
  n->left = n->right = NULL;
  n->largest = n->gap;
  if (!next->left) {
    next->left = n;
  } else {
    for (parent = next->left; parent->right; parent = parent->right) {}
    parent->right = n;
  }
  n->parent = (uintptr_t)parent | 1;
  propagate(parent);
  propagate(next);
  while (is_red(parent = parent_of(n))) {
    struct mapping *grand = parent_of(parent);
    if (parent == grand->left) {
      if (is_red(grand->right)) {
        set_black(parent);
        set_black(grand->right);
        set_red(grand);
        n = grand;
        continue;
      }
      if (n == parent->right) {
        rotate_left(tree, parent);
        parent = n;
      }
      set_black(parent);
      set_red(grand);
      rotate_right(tree, grand);
    } else {
      if (is_red(grand->left)) {
        set_black(parent);
        set_black(grand->left);
        set_red(grand);
        n = grand;
        continue;
      }
      if (n == parent->left) {
        rotate_right(tree, parent);
        parent = n;
      }
      set_black(parent);
      set_red(grand);
      rotate_left(tree, grand);
    }
    break;
  }
  set_black(tree->root);
}

/* Takes a node out whose bytes the caller has given to the gap of the next. */
static void tree_erase(struct iova_tree *tree, struct mapping *n) {
  struct mapping *child, *parent;
  int red;
  if (n->left && n->right) {
    struct mapping *next = n->right;
    while (next->left) next = next->left;
    child = next->right;
    red = is_red(next);
    if (next == n->right) {
      parent = next;
    } else {
      parent = parent_of(next);
      parent->left = child;
      if (child) set_parent(child, parent);
      next->right = n->right;
      set_parent(n->right, next);
    }
    next->left = n->left;
    set_parent(n->left, next);
    replace_child(tree, parent_of(n), n, next);
    next->parent = n->parent;
    next->largest = n->largest;
    /* The place that the next node left, and the one that it has taken. */
    propagate(parent);
    propagate(next);
  } else {
    child = n->left ? n->left : n->right;
    red = is_red(n);
    parent = parent_of(n);
    if (child) set_parent(child, parent);
    replace_child(tree, parent, n, child);
    propagate(parent);
  }
  if (red) return;
  while (child != tree->root && !is_red(child)) {
    if (child == parent->left) {
      struct mapping *sibling = parent->right;
      if (is_red(sibling)) {
        set_black(sibling);
        set_red(parent);
        rotate_left(tree, parent);
        sibling = parent->right;
      }
      if (!is_red(sibling->left) && !is_red(sibling->right)) {
        set_red(sibling);
        child = parent;
        parent = parent_of(child);
        continue;
      }
      if (!is_red(sibling->right)) {
        set_black(sibling->left);
        set_red(sibling);
        rotate_right(tree, sibling);
        sibling = parent->right;
      }
      if (is_red(parent)) set_red(sibling);
      else set_black(sibling);
      set_black(parent);
      set_black(sibling->right);
      rotate_left(tree, parent);
    } else {
      struct mapping *sibling = parent->left;
      if (is_red(sibling)) {
        set_black(sibling);
        set_red(parent);
        rotate_right(tree, parent);
        sibling = parent->left;
      }
      if (!is_red(sibling->left) && !is_red(sibling->right)) {
        set_red(sibling);
        child = parent;
        parent = parent_of(child);
        continue;
      }
      if (!is_red(sibling->left)) {
        set_black(sibling->right);
        set_red(sibling);
        rotate_left(tree, sibling);
        sibling = parent->left;
      }
      if (is_red(parent)) set_red(sibling);
      else set_black(sibling);
      set_black(parent);
      set_black(sibling->left);
      rotate_right(tree, parent);
    }
    child = tree->root;
  }
  if (child) set_black(child);
}

static uint64_t iova_allocate(
    struct iova_tree *tree, uint64_t size, uint64_t alignment, uint64_t lowest, uint64_t highest, void *owner) {
  struct mapping *n = tree->root;
  if (n->largest < size) return 0;
  for (;;) {
    /* To the left, unless all of that is below the lowest address. */
    if (n->left && n->left->largest >= size && n->start > lowest) {
      n = n->left;
      continue;
    }
    for (;;) {
      if (n->gap >= size && n->start > lowest) {
        uint64_t begin = n->start - n->gap;
        uint64_t from = begin < lowest ? lowest : begin;
        uint64_t start = (from + alignment - 1) & -alignment;
        if (start >= begin && start < n->start && n->start - start >= size) {
          if (start + size - 1 > highest) return 0;
          struct mapping *mapping = node_new(tree);
          mapping->start = start;
          mapping->last = start + size - 1;
          mapping->gap = start - begin;
          mapping->owner = owner;
          n->gap = n->start - start - size;
          tree_insert(tree, mapping, n);
          return start;
        }
      }
      if (n->right && n->right->largest >= size) {
        n = n->right;
        break;
      }
      struct mapping *child;
      do {
        child = n;
        n = parent_of(n);
        if (!n) return 0;
      } while (n->right == child);
    }
  }
}

static void *iova_free(struct iova_tree *tree, uint64_t start) {
  struct mapping *n = tree->root;
  while (n && n->start != start) n = start < n->start ? n->left : n->right;
  if (!n) return NULL;
  struct mapping *next;
  if (n->right) {
    for (next = n->right; next->left; next = next->left) {}
  } else {
    struct mapping *child = n;
    for (next = parent_of(n); next->right == child; next = parent_of(next)) child = next;
  }
  next->gap += n->gap + (n->last - n->start + 1);
  void *owner = n->owner;
  propagate(next);
  tree_erase(tree, n);
  node_free(tree, n);
  return owner;
}

/* A space from start to limit - 1. The mapping at the limit stays, so that every gap has one after it. */
void *peer_iova_new(uint64_t start, uint64_t limit) {
  struct iova_tree *tree = calloc(1, sizeof *tree);
  if (!tree) abort();
  struct mapping *end = node_new(tree);
  *end = (struct mapping){.start = limit, .last = limit, .gap = limit - start, .largest = limit - start};
  tree->root = end;
  return tree;
}

void peer_iova_delete(struct iova_tree *tree) {
  for (int i = 0; i < tree->slab_count; i++) free(tree->slabs[i]);
  free(tree);
}


/*
 * Frees a mapping, which starts at one of these addresses (0: there is none yet), and allocates another, whose address
 * takes its place, count times.
 */
void peer_iova_replace(
    struct iova_tree *tree, int64_t count, uint64_t *starts, const int32_t *which, const uint64_t *sizes,
    uint64_t alignment) {
  for (int64_t i = 0; i < count; i++) {
    uint64_t *start = &starts[which[i]];
    if (*start && iova_free(tree, *start) != tree) abort();
    *start = iova_allocate(tree, sizes[i], alignment, 0, UINT64_MAX, tree);
  }
}

/*
 * NVMe queues: a driver's side with slots, tokens, PRPs and doorbells, and a controller that completes what it is shown.
 * IO virtual addresses are those of this process.
 */
struct submission {
  uint32_t command, namespace_id;
  uint64_t reserved, metadata, prp1, prp2, start;
  uint32_t length, cdw13;
  uint64_t cdw14;
};

struct completion {
  uint32_t result, reserved, head, last;
};

struct rings {
  struct submission *submissions;
  struct completion *completions;
  uint32_t entries;
  uint32_t submission_doorbell, completion_doorbell;
  uint32_t head, tail, phase; /* the controller's */
};

struct nvme {
  struct rings driven, bare;
  uint64_t *lists; /* a page for each slot */
  char *buffer;
  uint64_t buffer_bytes, blocks;
  uint32_t *free_slots;
  uint64_t *tokens;
  uint8_t *taken;
  uint32_t free_count, tail, head, phase, bare_tail;
};

enum { PAGE = 4096, BLOCK = 512, MOST_BYTES = 131072, MOST_IN_FLIGHT = 32 };

static void *zeroed(size_t bytes) {
  size_t rounded = (bytes + PAGE - 1) & -(size_t)PAGE;
  void *memory = aligned_alloc(PAGE, rounded);
  if (!memory) abort();
  return memset(memory, 0, rounded);
}

static void rings_init(struct rings *rings, uint32_t entries) {
  *rings = (struct rings){
      .submissions = zeroed(entries * sizeof(struct submission)),
      .completions = zeroed(entries * sizeof(struct completion)),
      .entries = entries,
      .phase = 1};
}

void *peer_nvme_new(int32_t entries) {
  struct nvme *n = zeroed(sizeof *n);
  rings_init(&n->driven, entries);
  rings_init(&n->bare, entries);
  n->lists = zeroed((size_t)entries * PAGE);
  n->buffer_bytes = (uint64_t)MOST_IN_FLIGHT * MOST_BYTES;
  n->buffer = zeroed(n->buffer_bytes);
  n->blocks = 1 << 20;
  n->free_slots = zeroed(entries * sizeof *n->free_slots);
  n->tokens = zeroed(entries * sizeof *n->tokens);
  n->taken = zeroed(entries);
  n->free_count = entries - 1;
  for (uint32_t i = 0; i < n->free_count; i++) n->free_slots[i] = n->free_count - 1 - i;
  n->phase = 1;
  return n;
}

void peer_nvme_delete(struct nvme *n) {
  free(n->driven.submissions);
  free(n->driven.completions);
  free(n->bare.submissions);
  free(n->bare.completions);
  free(n->lists);
  free(n->buffer);
  free(n->free_slots);
  free(n->tokens);
  free(n->taken);
  free(n);
}

static void complete(struct rings *rings) {
  uint32_t tail = __atomic_load_n(&rings->submission_doorbell, __ATOMIC_ACQUIRE);
  while (rings->head != tail) {
    uint32_t command = rings->submissions[rings->head].command >> 16;
    if (++rings->head == rings->entries) rings->head = 0;
    struct completion *entry = &rings->completions[rings->tail];
    entry->result = 0;
    entry->head = rings->head;
    __atomic_store_n(&entry->last, command | rings->phase << 16, __ATOMIC_RELEASE);
    if (++rings->tail == rings->entries) {
      rings->tail = 0;
      rings->phase ^= 1;
    }
  }
}

static uint64_t describe(struct nvme *n, uint32_t slot, uint64_t address, uint64_t bytes) {
  uint64_t second = (address | (PAGE - 1)) + 1;
  int64_t left = (int64_t)(bytes - (second - address));
  if (left <= 0) return 0;
  if (left <= PAGE) return second;
  uint64_t *list = n->lists + (size_t)slot * (PAGE / sizeof *list);
  uint64_t entries = ((uint64_t)left + PAGE - 1) / PAGE;
  for (uint64_t i = 0; i < entries; i++) list[i] = second + i * PAGE;
  return (uint64_t)list;
}

static int put_read(struct nvme *n, uint64_t lba, uint32_t blocks, uint64_t offset, uint64_t token) {
  uint64_t bytes = (uint64_t)blocks * BLOCK;
  if (blocks < 1 || lba > n->blocks || blocks > n->blocks - lba || (offset & 3) || bytes > MOST_BYTES ||
      offset > n->buffer_bytes || bytes > n->buffer_bytes - offset)
    abort();
  if (!n->free_count) return 0;
  uint32_t slot = n->free_slots[--n->free_count];
  n->taken[slot] = 1;
  n->tokens[slot] = token;
  uint64_t address = (uint64_t)n->buffer + offset;
  n->driven.submissions[n->tail] = (struct submission){
      .command = 2 | slot << 16,
      .namespace_id = 1,
      .prp1 = address,
      .prp2 = describe(n, slot, address, bytes),
      .start = lba,
      .length = blocks - 1};
  if (++n->tail == n->driven.entries) n->tail = 0;
  return 1;
}

static void take(struct nvme *n, int64_t *tokens, uint32_t *failed) {
  struct rings *rings = &n->driven;
  int any = 0;
  for (;;) {
    struct completion *entry = &rings->completions[n->head];
    uint32_t last = __atomic_load_n(&entry->last, __ATOMIC_ACQUIRE);
    if ((last >> 16 & 1) != n->phase) break;
    uint32_t slot = last & 0xffff;
    if (slot >= rings->entries - 1 || !n->taken[slot]) abort();
    if (++n->head == rings->entries) {
      n->head = 0;
      n->phase ^= 1;
    }
    n->taken[slot] = 0;
    n->free_slots[n->free_count++] = slot;
    any = 1;
    *tokens += n->tokens[slot];
    *failed |= last >> 17;
  }
  if (any) __atomic_store_n(&rings->completion_doorbell, n->head, __ATOMIC_RELEASE);
}

/* Reads, `depth` at a time; the sum of their tokens, or -1 if one failed. */
int64_t peer_nvme_reads(struct nvme *n, int64_t count, int32_t depth, int32_t blocks) {
  int64_t tokens = 0;
  uint32_t failed = 0;
  for (int64_t i = 0; i < count; i += depth) {
    for (int32_t j = 0; j < depth; j++) put_read(n, i + j, blocks, (uint64_t)j * blocks * BLOCK, j);
    __atomic_store_n(&n->driven.submission_doorbell, n->tail, __ATOMIC_RELEASE);
    complete(&n->driven);
    take(n, &tokens, &failed);
  }
  return failed ? -1 : tokens;
}

/* What the controller does in peer_nvme_reads, and nothing else. */
void peer_nvme_completions(struct nvme *n, int64_t count, int32_t depth) {
  for (int64_t i = 0; i < count; i += depth) {
    n->bare_tail = (n->bare_tail + depth) % n->bare.entries;
    __atomic_store_n(&n->bare.submission_doorbell, n->bare_tail, __ATOMIC_RELEASE);
    complete(&n->bare);
  }
}
