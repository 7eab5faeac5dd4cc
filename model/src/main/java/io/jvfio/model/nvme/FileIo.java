// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import org.jspecify.annotations.Nullable;

/**
 * Carries out system calls on a file without holding up who asks for them. One thread at a time
 * calls its methods: the one that has the controller.
 */
sealed interface FileIo extends AutoCloseable permits RingFileIo, ThreadFileIo {
  /** How it does that, in a word or two for the operator. */
  String name();

  /** Connects it to who is told that something has ended. */
  void connect(StorageWake wake);

  /**
   * Takes a call.
   *
   * @return false if there are too many at the moment: ask again when one has ended
   */
  boolean begin(FileCall call);

  /**
   * Begins what was taken.
   *
   * @return whether there was anything, which may have ended by now: {@link #next} tells
   */
  boolean start();

  /** Takes a call that has ended, or null if there is none. */
  @Nullable FileCall next();

  /** How many calls have begun and not been taken back by {@link #next}. */
  int underWay();

  /**
   * Ends what can be ended before its time: what has not begun ends with ECANCELED, and never
   * begins. The rest goes on.
   */
  void cancelAll();

  /** Ends it; nothing is under way. */
  @Override
  void close();
}
