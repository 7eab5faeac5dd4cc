// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.LinuxKernel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.user.SharedFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A client that makes its file shorter while it is mapped, again and again: every access to what is
 * missing must be a fault, and no other. Runs in a JVM of its own, since what is at stake is the
 * JVM, and since that can be told which compilers to use.
 */
final class ShrunkMemory {
  private static final int MOST = 1 << 20;
  private static final int[] SIZES = {
    1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 48, 63, 64, 65, 100, 127, 128, 255, 256, 512, 4096, 65537,
    MOST
  };
  private static final int[] MISALIGNMENTS = {0, 1, 2, 4};

  private static final ClientMemory.DmaMessages NO_MESSAGES =
      new ClientMemory.DmaMessages() {
        @Override
        public int read(long iova, MemorySegment target, long offset, long byteSize) {
          throw new AssertionError("memory is mapped");
        }

        @Override
        public int write(long iova, MemorySegment source, long offset, long byteSize) {
          throw new AssertionError("memory is mapped");
        }
      };

  private ShrunkMemory() {}

  /**
   * Accesses memory that is there, then memory that is not.
   *
   * @param args how often each access that ends well is made, and how often each that does not
   */
  public static void main(String... args) {
    System.out.println(run(Integer.parseInt(args[0]), Integer.parseInt(args[1])) + " faults");
  }

  static long run(int warm, int faulty) {
    long faults = 0;
    try (var file = new SharedFile(3 * MOST);
        var memory = new ClientMemory(LinuxKernel.instance(), () -> true, NO_MESSAGES, 4);
        var arena = Arena.ofShared()) {
      // Two maps, so that there are accesses that span them.
      if (memory.map(file.descriptor(), 0, 0, MOST, true, true) != 0
          || memory.map(file.descriptor(), MOST, MOST, 2 * MOST, true, true) != 0) {
        throw new AssertionError("the file cannot be mapped");
      }
      var buffers =
          new MemorySegment[] {
            arena.allocate(2 * MOST), MemorySegment.ofArray(new byte[2 * MOST]),
          };
      for (var buffer : buffers) {
        for (int size : SIZES) {
          int share = Math.max(1, size / 4096);
          int warmTimes = Math.max(warm / share, 2);
          int faultTimes = Math.max(faulty / share, 2);
          for (int misaligned : MISALIGNMENTS) {
            for (boolean read : new boolean[] {true, false}) {
              long iova = (long) MOST + misaligned;
              file.resize(3 * MOST);
              expect(0, access(memory, iova, buffer, misaligned / 2, size, read, warmTimes));
              expect(0, access(memory, iova - 8, buffer, misaligned / 2, size, read, warmTimes));
              file.resize(MOST);
              expect(
                  faultTimes, access(memory, iova, buffer, misaligned / 2, size, read, faultTimes));
              faults += faultTimes;
              if (size > 1) {
                int spanning =
                    access(memory, MOST - 1, buffer, misaligned / 2, size, read, faultTimes);
                expect(faultTimes, spanning);
                faults += faultTimes;
              }
              expect(0, access(memory, misaligned, buffer, 0, 64, read, 2));
            }
          }
        }
      }
    }
    return faults;
  }

  private static void expect(int expected, int faults) {
    if (faults != expected) {
      throw new AssertionError("there were " + faults + " faults instead of " + expected);
    }
  }

  private static int access(
      ClientMemory memory,
      long iova,
      MemorySegment buffer,
      long offset,
      long size,
      boolean read,
      int times) {
    int faults = 0;
    for (int i = 0; i < times; i++) {
      try {
        if (read) {
          memory.read(iova, buffer, offset, size);
        } else {
          memory.write(iova, buffer, offset, size);
        }
      } catch (DmaFaultException e) {
        faults++;
      }
    }
    return faults;
  }
}
