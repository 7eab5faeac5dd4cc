// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import io.jvfio.linux.uapi.VfioInfoCapHeader;
import java.lang.foreign.MemorySegment;

/**
 * The capabilities behind an info struct, each aligned to eight bytes. Source: {@code
 * drivers/vfio/vfio_main.c}, {@code vfio_info_cap_add}.
 */
public final class CapabilityChain {
  private static final int CAPACITY = 4096;

  private final long start;
  private final MemorySegment chain = MemorySegment.ofArray(new long[CAPACITY / 8]);
  private long length;
  private long last = -1;

  /**
   * An empty chain.
   *
   * @param start where it begins, from the start of the info struct
   */
  public CapabilityChain(long start) {
    this.start = start;
  }

  /** Adds a capability of {@code byteSize} bytes and returns it, to be filled in. */
  public MemorySegment add(int id, int version, long byteSize) {
    long size = (byteSize + 7) & ~7;
    var capability = chain.asSlice(length, size);
    VfioInfoCapHeader.ID.set(capability, (short) id);
    VfioInfoCapHeader.VERSION.set(capability, (short) version);
    if (last >= 0) {
      VfioInfoCapHeader.NEXT.set(chain.asSlice(last), (int) (start + length));
    }
    last = length;
    length += size;
    return capability;
  }

  /** How many bytes the struct takes with the chain. */
  public long end() {
    return start + length;
  }

  public void copyOut(UserArgument argument) throws UserFault {
    argument.copyOut(start, chain, length);
  }
}
