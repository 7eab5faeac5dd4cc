// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Views of memory that is known only by its address. */
public final class NativeMemory {
  private NativeMemory() {}

  /**
   * The memory at {@code address}, usable until {@code lifetime} is closed.
   *
   * <p>The caller vouches that {@code byteSize} bytes are mapped there for as long.
   */
  // SAFETY: the one place where an address becomes memory; callers hold the mapping.
  @SuppressWarnings("restricted")
  public static MemorySegment at(long address, long byteSize, Arena lifetime) {
    return MemorySegment.ofAddress(address).reinterpret(byteSize, lifetime, null);
  }
}
