// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** How much heap a thread has allocated, where the Java runtime tells. */
public final class HeapUse {
  /** The runtime has no module {@code jdk.management}, or does not count. */
  public static final long UNKNOWN = -1;

  private static final boolean IS_COUNTED =
      ModuleLayer.boot().findModule("jdk.management").isPresent();

  private HeapUse() {}

  /** Bytes that the current thread has allocated since it began, or {@link #UNKNOWN}. */
  static long ofThisThread() {
    return IS_COUNTED ? Counter.THREADS.getCurrentThreadAllocatedBytes() : UNKNOWN;
  }

  /** Apart, for it cannot be loaded where the module is missing. */
  private static final class Counter {
    static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  }
}
