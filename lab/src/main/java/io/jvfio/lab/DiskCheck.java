// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * {@code DiskCheck IMAGE OUTPUT}: looks at a disk's image, from outside of the guest and after its
 * end, for the bytes that {@link NvmeWorkload} says in its output to have written there. Exit
 * status 0 when each of them is there and the disk's other bytes past them are zero, as they were.
 */
public final class DiskCheck {
  private DiskCheck() {}

  /** The program. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 2) {
      System.err.println("usage: DiskCheck IMAGE OUTPUT");
      System.exit(2);
    }
    System.exit(check(Path.of(arguments[0]), Path.of(arguments[1]), System.out) ? 0 : 1);
  }

  /** Prints what was found; true when it is what was written. */
  static boolean check(Path image, Path output, PrintStream out) throws IOException {
    var text = Files.readString(output);
    var plan =
        new WorkloadPlan(
            number(text, "seed"), number(text, "first"), Math.toIntExact(number(text, "blocks")));
    try (var arena = Arena.ofConfined();
        var channel = FileChannel.open(image, StandardOpenOption.READ)) {
      var disk = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      long offset = plan.firstBlock() * WorkloadPlan.BLOCK;
      int different = plan.firstDifference(disk, offset, 0, plan.blockCount());
      long beyond = firstNonZero(disk, offset + (long) plan.blockCount() * WorkloadPlan.BLOCK);
      out.println("blocks " + plan.blockCount());
      out.printf("checksum %016x%n", WorkloadPlan.checksum(disk, offset, plan.blockCount()));
      out.println("different " + (different < 0 ? "none" : plan.firstBlock() + different));
      out.println("beyond " + (beyond < 0 ? "zero" : beyond));
      return different < 0 && beyond < 0;
    }
  }

  /** The first byte from an offset on that is not zero; -1 when there is none. */
  private static long firstNonZero(MemorySegment disk, long offset) {
    var rest = disk.asSlice(offset);
    // A segment is all zero when its first byte is, and each byte is as the one before it.
    if (rest.byteSize() == 0) {
      return -1;
    }
    if (rest.get(ValueLayout.JAVA_BYTE, 0) != 0) {
      return offset;
    }
    long mismatch = rest.asSlice(1).mismatch(rest.asSlice(0, rest.byteSize() - 1));
    return mismatch < 0 ? -1 : offset + 1 + mismatch;
  }

  private static long number(String text, String name) {
    var value = LaneReport.figure(text, name);
    if (value.isEmpty()) {
      throw new IllegalArgumentException("the workload's output has no " + name);
    }
    return Long.parseLong(value);
  }
}
