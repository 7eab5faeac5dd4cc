// SPDX-License-Identifier: Apache-2.0
package io.jvfio.bench;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/** The loops of {@code peers.c}. A call is one batch, so what calling C costs does not count. */
final class Peers {
  /** The system property that has the library's path; {@code bench/run} sets it. */
  static final String LIBRARY = "jvfio.bench.peers";

  private static final SymbolLookup LOOKUP = library();
  private static final MethodHandle IOCTL =
      link(
          "peer_ioctl",
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_LONG,
              ValueLayout.ADDRESS));
  private static final MethodHandle READ =
      link(
          "peer_read32",
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
  private static final MethodHandle DEPENDENT =
      link(
          "peer_dependent32",
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT));
  private static final FunctionDescriptor NO_RESULT =
      FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG);
  private static final MethodHandle WRITE = link("peer_write32", NO_RESULT);
  private static final MethodHandle MODIFY = link("peer_modify32", NO_RESULT);
  private static final MethodHandle IOVA_NEW =
      link(
          "peer_iova_new",
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
  private static final MethodHandle IOVA_REPLACE =
      link(
          "peer_iova_replace",
          FunctionDescriptor.ofVoid(
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.ADDRESS,
              ValueLayout.ADDRESS,
              ValueLayout.ADDRESS,
              ValueLayout.JAVA_LONG));
  private static final MethodHandle IOVA_DELETE =
      link("peer_iova_delete", FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));

  private static final MethodHandle NVME_NEW =
      link("peer_nvme_new", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
  private static final MethodHandle NVME_READS =
      link(
          "peer_nvme_reads",
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_LONG,
              ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT));
  private static final MethodHandle NVME_COMPLETIONS =
      link(
          "peer_nvme_completions",
          FunctionDescriptor.ofVoid(
              ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
  private static final MethodHandle NVME_DELETE =
      link("peer_nvme_delete", FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));

  private Peers() {}

  // SAFETY: the library is this project's own; the descriptors are those of peers.c.
  @SuppressWarnings("restricted")
  private static SymbolLookup library() {
    return SymbolLookup.libraryLookup(Path.of(System.getProperty(LIBRARY, "")), Arena.global());
  }

  @SuppressWarnings("restricted")
  private static MethodHandle link(String function, FunctionDescriptor descriptor) {
    return Linker.nativeLinker().downcallHandle(LOOKUP.findOrThrow(function), descriptor);
  }

  static long ioctl(long count, int fd, long request, MemorySegment argument) {
    try {
      return (long) IOCTL.invokeExact(count, fd, request, argument);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static long read32(long count, long address) {
    try {
      return (long) READ.invokeExact(count, address);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static long dependent32(long count, long address, int offset) {
    try {
      return (long) DEPENDENT.invokeExact(count, address, offset);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static void write32(long count, long address) {
    try {
      WRITE.invokeExact(count, address);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static void modify32(long count, long address) {
    try {
      MODIFY.invokeExact(count, address);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static long newIovaTree(long start, long limit) {
    try {
      return (long) IOVA_NEW.invokeExact(start, limit);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static void replaceIovas(
      long tree,
      long count,
      MemorySegment starts,
      MemorySegment which,
      MemorySegment sizes,
      long alignment) {
    try {
      IOVA_REPLACE.invokeExact(tree, count, starts, which, sizes, alignment);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static void deleteIovaTree(long tree) {
    try {
      IOVA_DELETE.invokeExact(tree);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static long newNvme(int entries) {
    try {
      return (long) NVME_NEW.invokeExact(entries);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static long nvmeReads(long nvme, long count, int depth, int blocks) {
    try {
      return (long) NVME_READS.invokeExact(nvme, count, depth, blocks);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static void nvmeCompletions(long nvme, long count, int depth) {
    try {
      NVME_COMPLETIONS.invokeExact(nvme, count, depth);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static void deleteNvme(long nvme) {
    try {
      NVME_DELETE.invokeExact(nvme);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }
}
