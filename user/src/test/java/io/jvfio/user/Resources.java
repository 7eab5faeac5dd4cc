// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What this process has: descriptors by kind, mappings of shared memory, threads, memory.
 *
 * @param descriptors by kind; files of the JVM's own, such as jars, are left out
 */
record Resources(Map<String, Integer> descriptors, long mappings, long threads, long heapBytes) {
  private static final long MOST_GROWTH = 48 << 20;
  private static final long LIMIT_NANOS = 30_000_000_000L;

  /** What there is by now, without what is only waiting to be collected. */
  static Resources now() {
    System.gc();
    return new Resources(
        openDescriptors(),
        count("/proc/self/maps", "memfd:client") + count("/proc/self/maps", "jvfio shadows"),
        Thread.getAllStackTraces().keySet().stream()
            .filter(each -> each.getName().contains("vfio"))
            .count(),
        Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory());
  }

  private static Map<String, Integer> openDescriptors() {
    var counts = new TreeMap<String, Integer>();
    try (var fds = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (var fd : fds) {
        kind(fd).ifPresent(kind -> counts.merge(kind, 1, Integer::sum));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return counts;
  }

  private static Optional<String> kind(Path fd) {
    try {
      var target = Files.readSymbolicLink(fd).toString();
      if (target.startsWith("/proc/") || target.endsWith(".jar") || target.endsWith("modules")) {
        return Optional.empty();
      }
      return Optional.of(target.replaceAll(":\\[[0-9]+]", ""));
    } catch (IOException e) {
      return Optional.empty(); // closed meanwhile
    }
  }

  private static long count(String file, String word) {
    try (var lines = Files.lines(Path.of(file))) {
      return lines.filter(line -> line.contains(word)).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits until all is as it was; an error says what is not. */
  static void awaitBase(Resources base) {
    long start = System.nanoTime();
    Resources now;
    do {
      now = now();
      if (now.descriptors.equals(base.descriptors)
          && now.mappings == base.mappings
          && now.threads == base.threads
          && now.heapBytes < base.heapBytes + MOST_GROWTH) {
        return;
      }
      pause();
    } while (System.nanoTime() - start < LIMIT_NANOS);
    throw new AssertionError("something is left over: " + base + " has become " + now);
  }

  private static void pause() {
    try {
      Thread.sleep(20);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
