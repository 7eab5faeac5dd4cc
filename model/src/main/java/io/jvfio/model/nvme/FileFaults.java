// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.jfr.Jfr;
import io.jvfio.linux.Errno;
import java.lang.System.Logger.Level;
import java.util.HashMap;
import java.util.Map;

/**
 * Tells the operator what goes wrong with a file: a line each time, and at most one a second for
 * faults of one kind, which then says how many there were. A recording has each of them.
 */
final class FileFaults {
  private static final System.Logger LOG = System.getLogger("io.jvfio");
  private static final long QUIET_NANOS = 1_000_000_000;

  private final String name;
  private final StorageWake clock;
  private final Map<String, Told> told = new HashMap<>();

  private static final class Told {
    long since;
    long unsaid;
  }

  FileFaults(String name, StorageWake clock) {
    this.name = name;
    this.clock = clock;
  }

  /** A system call has failed. */
  void failed(String operation, long offset, long byteSize, Errno errno, String consequence) {
    if (Jfr.isInUse()) {
      StorageErrorEvent.told(name, operation, offset, byteSize, errno, consequence);
    }
    log(
        operation + errno.symbol(),
        "%s of %,d bytes at %,d failed: %s (%s). %s"
            .formatted(operation, byteSize, offset, errno.symbol(), errno.text(), consequence));
  }

  /** Something else is wrong; {@code kind} is what faults are told apart by. */
  void tell(String kind, String sentence) {
    if (Jfr.isInUse()) {
      StorageErrorEvent.told(name, kind, 0, 0, null, sentence);
    }
    log(kind, sentence);
  }

  private void log(String kind, String sentence) {
    long now = clock.nanoTime();
    var before = told.get(kind);
    if (before != null && now - before.since < QUIET_NANOS) {
      before.unsaid++;
      return;
    }
    var unsaid = before == null ? 0 : before.unsaid;
    var line =
        unsaid == 0
            ? name + ": " + sentence
            : "%s: %s (%,d more like it since the last such line)"
                .formatted(name, sentence, unsaid);
    var entry = new Told();
    entry.since = now;
    told.put(kind, entry);
    LOG.log(Level.WARNING, line);
  }
}
