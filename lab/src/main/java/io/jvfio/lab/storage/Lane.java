// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab.storage;

import java.io.PrintStream;

/** Steps of which each passes or fails, and is told. */
final class Lane {
  private final PrintStream out;
  private final String only;
  private int passed;
  private int failed;

  /**
   * Begins.
   *
   * @param only words that the name of a step must have; the other steps are left out
   */
  Lane(PrintStream out, String only) {
    this.out = out;
    this.only = only;
  }

  /** Something that must hold. */
  interface Step {
    /**
     * Does it.
     *
     * @return figures worth telling, or an empty text
     * @throws Exception if it does not hold
     */
    String run() throws Exception;
  }

  void step(String name, Step step) throws InterruptedException {
    if (!name.contains(only)) {
      return;
    }
    long begin = System.nanoTime();
    String told;
    boolean isGood = false;
    try {
      told = step.run();
      isGood = true;
    } catch (InterruptedException e) {
      throw e;
    } catch (Exception e) {
      var text = new java.io.StringWriter();
      e.printStackTrace(new java.io.PrintWriter(text));
      told = text.toString().strip();
    }
    passed += isGood ? 1 : 0;
    failed += isGood ? 0 : 1;
    double seconds = (System.nanoTime() - begin) / 1e9;
    out.printf(
        "%s: %s, %.1f s%s%n",
        name, isGood ? "passed" : "FAILED", seconds, told.isEmpty() ? "" : ": " + told);
    out.flush();
  }

  /** Says how many passed and failed; whether none failed and one passed. */
  boolean end() {
    out.printf("%d passed, %d failed%n", passed, failed);
    return failed == 0 && passed > 0;
  }

  static void require(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException(what);
    }
  }

  /** Statuses are told as the specification writes them. */
  static void requireStatus(int status, int expected, String what) {
    require(
        status == expected, "%s ended with %#x, not with %#x".formatted(what, status, expected));
  }
}
