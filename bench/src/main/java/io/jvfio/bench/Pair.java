// SPDX-License-Identifier: Apache-2.0
package io.jvfio.bench;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** Where a benchmark writes how long its two batches took, in nanoseconds. */
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.EVENTS)
public class Pair {
  /** Time spent in Java batches. */
  public long java;

  /** Time spent in C batches. */
  public long c;

  /** Operations in the Java batches; as many as in the C batches. */
  public long operations;

  void add(long operations, long begin, long between, long end) {
    add(operations, between - begin, end - between);
  }

  void add(long operations, long javaNanos, long cNanos) {
    this.operations += operations;
    java += javaNanos;
    c += cNanos;
  }
}
