// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What this process has that a client or a server could leave behind.
 *
 * @param descriptors how many it has open
 * @param mappings how many of memory files
 * @param threads how many of this library's
 * @param locked a line that tells how much memory is locked
 */
record Holdings(long descriptors, long mappings, long threads, String locked) {
  private static final long LIMIT_NANOS = 20_000_000_000L;

  private static Holdings now() {
    return new Holdings(
        OpenDescriptors.count(),
        lines("/proc/self/maps", "memfd:").lines().count(),
        Thread.getAllStackTraces().keySet().stream()
            .filter(each -> each.getName().contains("vfio"))
            .count(),
        lines("/proc/self/status", "VmLck"));
  }

  /** What it has when nothing that was before goes on changing that. */
  static Holdings settled() throws InterruptedException {
    var seen = now();
    while (true) {
      Thread.sleep(2);
      var again = now();
      if (again.equals(seen)) {
        return seen;
      }
      seen = again;
    }
  }

  private static String lines(String file, String word) {
    try {
      return String.join(
          "\n",
          Files.readAllLines(Path.of(file)).stream().filter(line -> line.contains(word)).toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits until it has this and no more. */
  void awaitAgain(String what) throws InterruptedException {
    long start = System.nanoTime();
    var now = now();
    while (!now.equals(this) && System.nanoTime() - start < LIMIT_NANOS) {
      Thread.sleep(1);
      now = now();
    }
    // What was seen last: who looks again may see what another thread opens for a moment.
    assertThat(now).as(what).isEqualTo(this);
  }
}
