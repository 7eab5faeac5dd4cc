/* The same work as the benchmarks', in C: loops of the same shape, called from the same JVM. */
#include <stdint.h>
#include <stdlib.h>
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
