// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.memory;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Layouts;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/**
 * A struct whose first field is its size, as iommufd takes it: it may be larger than the kernel's
 * own, but what the kernel does not know must be zero. Source: {@code copy_struct_from_user} in
 * {@code include/linux/uaccess.h}.
 */
public final class StrictStruct {
  private static final String RESERVED = "__reserved";

  private final MemorySegment memory;
  private final long userSize;
  private final UserArgument argument;

  /** A command that takes such a struct. */
  public interface Body {
    /** A result, or a negated errno. */
    int run(StrictStruct struct) throws UserFault;
  }

  private StrictStruct(MemorySegment memory, long userSize, UserArgument argument) {
    this.memory = memory;
    this.userSize = userSize;
    this.argument = argument;
  }

  /**
   * Copies a struct in.
   *
   * @param minimum how much of it there must be, in bytes
   * @param byteSize how much the kernel knows
   */
  public static int with(UserArgument argument, long minimum, long byteSize, Body body)
      throws UserFault {
    long userSize =
        Integer.toUnsignedLong(argument.copyIn(Integer.BYTES).get(ValueLayout.JAVA_INT, 0));
    if (userSize < minimum) {
      return Errno.EINVAL.result();
    }
    if (userSize > byteSize && !argument.isZero(byteSize, userSize)) {
      return Errno.E2BIG.result();
    }
    var memory = argument.copyIn(Math.min(userSize, byteSize), byteSize);
    return body.run(new StrictStruct(memory.asSlice(0, byteSize), userSize, argument));
  }

  /** Copies a struct in, of which all must be there. */
  public static int with(UserArgument argument, long byteSize, Body body) throws UserFault {
    return with(argument, byteSize, byteSize, body);
  }

  /** The kernel's copy, all of it. */
  public MemorySegment memory() {
    return memory;
  }

  /** The field {@code __reserved}. */
  public long reserved(StructLayout layout) {
    var path = PathElement.groupElement(RESERVED);
    long offset = layout.byteOffset(path);
    return layout.select(path).byteSize() == Short.BYTES
        ? memory.get(Layouts.U16, offset)
        : memory.get(Layouts.U32, offset);
  }

  /** Copies it out, as far as the caller has it; returns 0. */
  public int respond() throws UserFault {
    argument.copyOut(0, memory, Math.min(userSize, memory.byteSize()));
    return 0;
  }
}
