// SPDX-License-Identifier: Apache-2.0
package io.jvfio.linux;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Access to mapped memory that may not be there: registers of a device that does not answer, a file
 * that somebody else has made shorter. The kernel then sends SIGBUS, of which HotSpot makes an
 * {@link InternalError}.
 *
 * <p>In compiled code the JVM goes on after such an access with whatever the processor's register
 * held, and throws the error where the thread next asks for what is pending (a "poll", as for
 * safepoints). That would be anywhere: outside of the try statement of whoever made the access,
 * with a senseless value already in use. So such an access is followed by a poll, which code can
 * have by going round a loop that the compiler cannot count. It costs about half a nanosecond.
 */
public final class GuardedMemory {
  /** From here on HotSpot copies with stubs of its own, out of which it finds after a fault. */
  private static final int STUB_SIZE = 64;

  /** How often the loop of a poll is gone round, which the compiler must not know. */
  private static final VarHandle ROUNDS = rounds();

  @SuppressWarnings({
    "FieldMayBeFinal",
    "UnusedVariable"
  }) // read through ROUNDS, whose value must be no constant
  private static int rounds = 1;

  private GuardedMemory() {}

  private static VarHandle rounds() {
    try {
      return MethodHandles.lookup()
          .findStaticVarHandle(GuardedMemory.class, "rounds", int.class)
          .withInvokeExactBehavior();
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("a field of this class is not there", e);
    }
  }

  /**
   * Has the JVM throw the error of an access that this thread made before, if there is one. To be
   * called right after the access, inside of the same try statement.
   *
   * @throws InternalError if nothing was there
   */
  public static void poll() {
    for (int i = 0; i < (int) ROUNDS.getOpaque(); i++) {
      // Nothing is done here: the way back to the condition is where the JVM looks.
    }
  }

  /**
   * Copies between memory of which one side, or both, may not be there. The two must not overlap.
   *
   * <p>Small copies are single loads and stores, since that is what HotSpot can continue behind:
   * its handler of SIGBUS decodes the instruction, and knows few of those that a compiler makes of
   * a loop.
   *
   * @throws InternalError if something of it was not there; the rest may have been copied
   */
  public static void copy(
      MemorySegment source, long sourceOffset, MemorySegment target, long offset, long byteSize) {
    if (byteSize >= STUB_SIZE) {
      MemorySegment.copy(source, sourceOffset, target, offset, byteSize);
    } else {
      copyFew(source, sourceOffset, target, offset, (int) byteSize);
    }
    poll();
  }

  private static void copyFew(
      MemorySegment source, long sourceOffset, MemorySegment target, long offset, int byteSize) {
    long from = sourceOffset;
    long to = offset;
    if ((byteSize & 32) != 0) {
      copy16(source, from, target, to);
      copy16(source, from + 16, target, to + 16);
      from += 32;
      to += 32;
    }
    if ((byteSize & 16) != 0) {
      copy16(source, from, target, to);
      from += 16;
      to += 16;
    }
    if ((byteSize & 8) != 0) {
      target.set(
          ValueLayout.JAVA_LONG_UNALIGNED, to, source.get(ValueLayout.JAVA_LONG_UNALIGNED, from));
      from += 8;
      to += 8;
    }
    if ((byteSize & 4) != 0) {
      target.set(
          ValueLayout.JAVA_INT_UNALIGNED, to, source.get(ValueLayout.JAVA_INT_UNALIGNED, from));
      from += 4;
      to += 4;
    }
    if ((byteSize & 2) != 0) {
      target.set(
          ValueLayout.JAVA_SHORT_UNALIGNED, to, source.get(ValueLayout.JAVA_SHORT_UNALIGNED, from));
      from += 2;
      to += 2;
    }
    if ((byteSize & 1) != 0) {
      target.set(ValueLayout.JAVA_BYTE, to, source.get(ValueLayout.JAVA_BYTE, from));
    }
  }

  private static void copy16(MemorySegment source, long from, MemorySegment target, long to) {
    target.set(
        ValueLayout.JAVA_LONG_UNALIGNED, to, source.get(ValueLayout.JAVA_LONG_UNALIGNED, from));
    target.set(
        ValueLayout.JAVA_LONG_UNALIGNED,
        to + 8,
        source.get(ValueLayout.JAVA_LONG_UNALIGNED, from + 8));
  }
}
