// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.DmaBuffer;
import io.jvfio.MappableArea;
import io.jvfio.VfioDevice;
import io.jvfio.linux.Registers;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * An NVMe initiator that reaches doorbells as memory and in no other way, as SPDK's does: it gives
 * up where they cannot be mapped, turns bus mastering on and the interrupt line off, and polls.
 */
final class StoringInitiator implements AutoCloseable {
  private static final MappableArea DOORBELLS = new MappableArea(0x1000, 0x1000);
  private static final int COMMAND = 4;
  private static final int MASTER_AND_NO_LINE = 0x404;
  private static final int ENTRIES = 16;
  private static final long LIMIT_NANOS = 30_000_000_000L;

  private static final int DELETE_SUBMISSION = 0x00;
  private static final int CREATE_SUBMISSION = 0x01;
  private static final int DELETE_COMPLETION = 0x04;
  private static final int CREATE_COMPLETION = 0x05;

  final VfioDevice device;
  final Registers doorbells;
  private final Registers registers;
  private final DmaBuffer rings;

  /** A page for data, at {@link #dataIova}. */
  final MemorySegment data;

  final Pair admin;

  /** A pair of queues. */
  final class Pair {
    final int id;
    private final long at;
    private int tail;
    private int head;
    private int phase = 1;

    private Pair(int id) {
      this.id = id;
      at = id * 0x2000L;
      rings.segment().asSlice(at, 0x2000).fill((byte) 0);
    }

    private long submissions() {
      return rings.iova() + at;
    }

    private long completions() {
      return rings.iova() + at + 0x1000;
    }

    /** Puts a command into the queue, whose data are {@link #data}. */
    void put(int opcode, int namespace, long prp, int cdw10, int cdw11, int cdw12) {
      var entry = rings.segment().asSlice(at + tail * 64L, 64).fill((byte) 0);
      entry.set(LE8, 0, (byte) opcode);
      entry.set(LE16, 2, (short) tail);
      entry.set(LE32, 4, namespace);
      entry.set(LE64, 24, prp);
      entry.set(LE32, 40, cdw10);
      entry.set(LE32, 44, cdw11);
      entry.set(LE32, 48, cdw12);
      tail = (tail + 1) % ENTRIES;
    }

    void ring() {
      doorbells.write32Release(8L * id, tail);
    }

    /** Waits for a completion: its first dword in the low half, its status in the high one. */
    long take() {
      long begin = System.nanoTime();
      var entry = rings.segment().asSlice(at + 0x1000 + head * 16L, 16);
      while ((entry.get(LE32, 12) >>> 16 & 1) != phase) {
        assertThat(System.nanoTime() - begin).as("queue " + id).isLessThan(LIMIT_NANOS);
        Thread.onSpinWait();
      }
      long result = Integer.toUnsignedLong(entry.get(LE32, 0));
      int status = entry.get(LE32, 12) >>> 17;
      head = (head + 1) % ENTRIES;
      phase ^= head == 0 ? 1 : 0;
      doorbells.write32Release(8L * id + 4, head);
      return (long) status << 32 | result;
    }

    long run(int opcode, int namespace, long prp, int cdw10, int cdw11, int cdw12) {
      put(opcode, namespace, prp, cdw10, cdw11, cdw12);
      ring();
      return take();
    }

    /** Reads or writes a block, which has to succeed. */
    void transfer(int opcode, int block) {
      assertThat(run(opcode, 1, dataIova(), block, 0, 0)).isZero();
    }
  }

  /**
   * Connects and starts the controller.
   *
   * @throws IllegalArgumentException where doorbells cannot be mapped
   */
  StoringInitiator(Path socket) {
    device = VfioUser.open(socket);
    try {
      doorbells = device.region(0).map(DOORBELLS);
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
    registers = device.region(0).registers();
    rings = device.dmaSpace().allocate(0x1_0000);
    data = rings.segment().asSlice(0xf000, 0x1000);
    admin = start();
  }

  long dataIova() {
    return rings.iova() + 0xf000;
  }

  private Pair start() {
    var config = device.config();
    config.write16(COMMAND, config.read16(COMMAND) | MASTER_AND_NO_LINE);
    registers.write32(0x14, 0);
    awaitReady(0);
    var pair = new Pair(0);
    registers.write64(0x28, pair.submissions());
    registers.write64(0x30, pair.completions());
    registers.write32(0x24, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    registers.write32(0x14, 0x0046_0001);
    awaitReady(1);
    return pair;
  }

  private void awaitReady(int expected) {
    while ((registers.read32(0x1c) & 1) != expected) {
      Thread.onSpinWait();
    }
  }

  /** CSTS. */
  int status() {
    return registers.read32(0x1c);
  }

  Pair create(int id) {
    var pair = new Pair(id);
    int size = (ENTRIES - 1) << 16 | id;
    assertThat(admin.run(CREATE_COMPLETION, 0, pair.completions(), size, 1, 0)).isZero();
    assertThat(admin.run(CREATE_SUBMISSION, 0, pair.submissions(), size, id << 16 | 1, 0)).isZero();
    return pair;
  }

  void delete(Pair pair) {
    assertThat(admin.run(DELETE_SUBMISSION, 0, 0, pair.id, 0, 0)).isZero();
    assertThat(admin.run(DELETE_COMPLETION, 0, 0, pair.id, 0, 0)).isZero();
  }

  @Override
  public void close() {
    device.close();
  }
}
