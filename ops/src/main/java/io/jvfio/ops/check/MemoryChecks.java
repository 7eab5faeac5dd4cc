// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import io.jvfio.linux.Kernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** Looks at what limits the memory that this process can map for devices. */
final class MemoryChecks {
  private static final long LITTLE = 64L << 20;
  private static final long WINDOW = 2L << 30;
  private static final long NONE = 1L << 60;
  private static final String POOLS = "/sys/kernel/mm/hugepages";
  private static final String GROUPS = "/sys/fs/cgroup";
  private static final String OWN_GROUP = "/proc/self/cgroup";

  private MemoryChecks() {}

  /** {@code RLIMIT_MEMLOCK}, which memory that is mapped for a device counts against. */
  static void lockedMemory(Examination at) {
    var finding =
        at.finding(
            "locked-memory",
            "this process",
            "Memory that is mapped for a device is pinned and counts as locked; beyond the limit a mapping fails with"
                + " ENOMEM.",
            "RLIMIT_MEMLOCK",
            "/proc/self/status");
    var lockable = at.knowledge().lockableMemory();
    if (lockable.isEmpty()) {
      finding.pass(
          at.kernel().lockedMemoryLimit() == Kernel.NO_LIMIT
              ? "No limit."
              : "The limit does not bind this process, which has CAP_IPC_LOCK.");
      return;
    }
    long free = lockable.getAsLong();
    var wanted = at.memory();
    if (wanted.isPresent() && wanted.getAsLong() > free) {
      finding.fail(
          "%,d bytes may be locked, %,d fewer than the %,d that are to be mapped."
              .formatted(free, wanted.getAsLong() - free, wanted.getAsLong()),
          raise(at, wanted.getAsLong()));
    } else if (wanted.isEmpty() && free < (at.isPower() ? WINDOW : LITTLE)) {
      finding.warn(
          "%,d bytes may be locked, which is little for a device%s."
              .formatted(
                  free, at.isPower() ? ": sPAPR v1 counts its whole window, of 1 or 2 GiB" : ""),
          "prlimit --pid $$ --memlock=unlimited, or LimitMEMLOCK=infinity in a service's unit; then start it again.");
    } else {
      finding.pass("%,d bytes may be locked.".formatted(free));
    }
  }

  private static String raise(Examination at, long byteSize) {
    long limit = at.kernel().lockedMemoryLimit();
    long used = limit - at.knowledge().lockableMemory().orElse(limit);
    long needed = byteSize + used;
    return "prlimit --pid $$ --memlock=%d, or LimitMEMLOCK=%1$d in a service's unit; then start it again."
        .formatted(needed);
  }

  /** The limit of the control group, which pinned memory counts against as any. */
  static void controlGroup(Examination at) {
    var finding =
        at.finding(
            "cgroup",
            "this process",
            "Pinned memory counts against the control group's limit and cannot be swapped out, so the kernel kills"
                + " where it does not fit.",
            OWN_GROUP);
    var own = at.files().text(OWN_GROUP);
    if (own.isEmpty()) {
      finding.unknown("the control group of this process cannot be read.");
      return;
    }
    var limit = smallest(at, finding, own.get());
    if (limit.isEmpty()) {
      finding.unknown("no control group of this process tells a limit on memory.");
    } else if (limit.getAsLong() >= NONE) {
      finding.pass("No limit on memory.");
    } else if (at.memory().isPresent() && at.memory().getAsLong() > limit.getAsLong()) {
      finding.fail(
          "Memory is limited to %,d bytes, %,d fewer than are to be mapped."
              .formatted(limit.getAsLong(), at.memory().getAsLong() - limit.getAsLong()),
          "Give the container or service more memory (podman: --memory; systemd: MemoryMax=).");
    } else {
      finding.pass("Memory is limited to %,d bytes.".formatted(limit.getAsLong()));
    }
  }

  /** The smallest limit from a process's control group to the root; empty where none is told. */
  private static OptionalLong smallest(Examination at, Examination.Open finding, String own) {
    var limits = new ArrayList<Long>();
    for (var line : own.lines().toList()) {
      var parts = List.of(line.split(":", 3));
      if (parts.size() < 3) {
        continue;
      }
      boolean isUnified = parts.get(0).equals("0") && parts.get(1).isEmpty();
      if (isUnified && at.files().exists(GROUPS + "/cgroup.controllers")) {
        limits.add(NONE); // the root has no file, and no limit
        collect(at, finding, GROUPS, parts.get(2), "memory.max", limits);
      } else if (List.of(parts.get(1).split(",", -1)).contains("memory")) {
        collect(at, finding, GROUPS + "/memory", parts.get(2), "memory.limit_in_bytes", limits);
      }
    }
    return limits.stream().mapToLong(Long::longValue).min();
  }

  private static void collect(
      Examination at,
      Examination.Open finding,
      String root,
      String path,
      String file,
      List<Long> limits) {
    // A container may see its own group as the root, and the path as its host does.
    for (var below = path.equals("/") ? "" : path; ; ) {
      var limit = at.files().text(root + below + "/" + file);
      if (limit.isPresent()) {
        finding.lookedAt(root + below + "/" + file);
        limits.add(
            Numbers.parse(limit.get())
                .map(value -> value < 0 ? NONE : Math.min(value, NONE))
                .orElse(NONE));
      }
      if (below.isEmpty()) {
        return;
      }
      below = below.substring(0, Math.max(0, below.lastIndexOf('/')));
    }
  }

  /** Huge pages, with which mapping is quicker and takes fewer entries. */
  static void hugePages(Examination at) {
    var finding =
        at.finding(
            "hugepages",
            Examination.HOST,
            "Memory in huge pages is pinned and mapped many times faster, and takes fewer entries of the IOMMU.",
            POOLS);
    var pools = at.files().directory(POOLS);
    if (pools.isEmpty() || pools.get().isEmpty()) {
      finding.unknown("this kernel shows no pools of huge pages.");
      return;
    }
    var words = new ArrayList<String>();
    boolean isEnough = false;
    for (var pool : pools.get()) {
      var size = pageSize(pool);
      var free = at.files().text(POOLS + "/" + pool + "/free_hugepages").flatMap(Numbers::parse);
      if (size.isPresent() && free.isPresent()) {
        words.add("%,d pages of %,d bytes".formatted(free.get(), size.get()));
        isEnough |=
            at.memory().isPresent()
                && free.get() >= (at.memory().getAsLong() + size.get() - 1) / size.get();
      }
    }
    if (words.isEmpty()) {
      finding.unknown("the pools of huge pages do not tell how many are free.");
    } else if (at.memory().isPresent() && !isEnough) {
      var pool = pools.get().getFirst();
      long size = pageSize(pool).orElseThrow();
      finding.warn(
          "Free are %s: not enough for %,d bytes, for which pages of %,d are used instead."
              .formatted(String.join(", ", words), at.memory().getAsLong(), at.kernel().pageSize()),
          "echo %d > %s/%s/nr_hugepages"
              .formatted((at.memory().getAsLong() + size - 1) / size, POOLS, pool));
    } else {
      finding.pass("Free are %s.".formatted(String.join(", ", words)));
    }
  }

  /** The size in bytes of the pages of a pool such as {@code hugepages-2048kB}. */
  private static Optional<Long> pageSize(String pool) {
    return pool.startsWith("hugepages-") && pool.endsWith("kB")
        ? Numbers.parse(pool.substring("hugepages-".length(), pool.length() - 2))
            .map(size -> size << 10)
        : Optional.empty();
  }
}
