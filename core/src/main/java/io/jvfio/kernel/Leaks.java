// SPDX-License-Identifier: Apache-2.0
package io.jvfio.kernel;

import java.lang.ref.Cleaner;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Tells of what became unreachable without being closed, with the place that made it. It is told
 * and not closed: the device may still use it.
 */
public final class Leaks {
  private static final System.Logger LOG = System.getLogger("io.jvfio");
  private static final Cleaner CLEANER = Cleaner.create();
  private static final StackWalker STACK = StackWalker.getInstance();

  /** The packages of this module, on a class path as well, where it is none. */
  private static final Set<String> OURS =
      Set.of(
          "io.jvfio",
          "io.jvfio.dma",
          "io.jvfio.interrupt",
          "io.jvfio.iommu",
          "io.jvfio.jfr",
          "io.jvfio.kernel",
          "io.jvfio.spi");

  private Leaks() {}

  /**
   * Watches {@code handle}.
   *
   * @param leaked says what it is, or null if it was closed; must not refer to {@code handle}
   */
  public static void watch(Object handle, Supplier<@Nullable String> leaked, String place) {
    CLEANER.register(
        handle,
        () -> {
          var what = leaked.get();
          if (what != null) {
            LOG.log(
                System.Logger.Level.WARNING,
                "{0} was never closed; it was made at {1}. It stays until its DMA space is closed.",
                what,
                place);
          }
        });
  }

  /** The code outside of this module that is calling, as {@code Class.method(File:line)}. */
  public static String place() {
    return STACK.walk(
        frames ->
            frames
                .filter(frame -> !isOurs(frame.getClassName()))
                .findFirst()
                .map(Leaks::place)
                .orElse("an unknown place"));
  }

  private static String place(StackWalker.StackFrame frame) {
    return frame.getClassName()
        + '.'
        + frame.getMethodName()
        + '('
        + frame.getFileName()
        + ':'
        + frame.getLineNumber()
        + ')';
  }

  private static boolean isOurs(String className) {
    return OURS.contains(className.substring(0, Math.max(0, className.lastIndexOf('.'))));
  }
}
