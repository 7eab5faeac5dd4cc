// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE64;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A controller in a JVM of its own, whose heap is full when it looks for a command's memory: it
 * keeps a list of that in arrays that grow, each of which finds room or does not.
 */
final class CrampedProgram {
  private static final int READ = 2;
  private static final int WRITE = 1;
  private static final int SGL = 0x40;
  private static final long LAST_SEGMENT = 0x30;
  private static final long LIST = 0x8_0000;
  private static final long TARGET = 0x40_0000;

  /** So many that what has grown for them is not kept for the next command. */
  private static final int PIECES = 300;

  private static final int PIECE = 256;

  /** There is a gap between them: neighbours would be one. */
  private static final int STRIDE = 512;

  private static final int BYTES = PIECES * PIECE;

  /** How much room is left, in objects of 24 bytes. */
  private static final int MOST_ROOM = 50;

  private static Object @Nullable [] heap;

  private CrampedProgram() {}

  public static void main(String[] args) {
    int refused = 0;
    try (var host = new NvmeHost(NvmeModel.inMemory("S", 1 << 20))) {
      for (int piece = 0; piece < PIECES; piece++) {
        long at = NvmeHost.DATA + (long) STRIDE * piece;
        host.memory.asSlice(at, PIECE).fill((byte) piece);
        host.memory.set(LE64, LIST + 16L * piece, at);
        host.memory.set(LE64, LIST + 16L * piece + 8, PIECE);
      }
      for (int room = 0; room <= MOST_ROOM; room++) {
        int left = room;
        host.enableIo();
        host.onAccess = iova -> fillUnless(iova != LIST, left);
        try {
          write(host);
        } catch (OutOfMemoryError _) {
          refused++;
        } finally {
          heap = null;
          host.onAccess = _ -> {};
        }
        // As for the next client, after an Error has ended the session of this one.
        host.model.reset();
        host.enableIo();
        write(host);
        check(host);
        host.model.reset();
      }
    }
    System.out.println("refused " + (refused > 0 && refused < MOST_ROOM ? "some" : "" + refused));
  }

  private static void fillUnless(boolean isOther, int room) {
    if (isOther) {
      return;
    }
    for (int size : new int[] {1 << 16, 1 << 10, 0}) {
      try {
        while (true) {
          heap = new Object[] {heap, size == 0 ? "" : new byte[size]};
        }
      } catch (OutOfMemoryError _) {
        // Smaller ones may find room.
      }
    }
    for (int i = 0; i < room && heap != null; i++) {
      heap = (Object[]) heap[0];
    }
  }

  private static void write(NvmeHost host) {
    var command = NvmeHost.blocks(WRITE, 0, BYTES / 512);
    run(host, command.at(LIST, 16L * PIECES | LAST_SEGMENT << 56));
  }

  private static void check(NvmeHost host) {
    run(host, NvmeHost.blocks(READ, 0, BYTES / 512).at(TARGET, BYTES));
    for (int piece = 0; piece < PIECES; piece++) {
      long mismatch =
          MemorySegment.mismatch(
              host.memory,
              TARGET + (long) PIECE * piece,
              TARGET + (long) PIECE * (piece + 1),
              host.memory,
              NvmeHost.DATA + (long) STRIDE * piece,
              NvmeHost.DATA + (long) STRIDE * piece + PIECE);
      if (mismatch >= 0) {
        throw new AssertionError("piece " + piece + " differs");
      }
    }
    host.memory.asSlice(TARGET, BYTES).fill((byte) 0xff);
  }

  private static void run(NvmeHost host, NvmeHost.Command command) {
    int status = host.io.run(command, SGL).status();
    if (status != 0) {
      throw new AssertionError("status " + status);
    }
  }
}
