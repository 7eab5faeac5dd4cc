// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE16;
import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaLease;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A host of an NVMe controller at its barest: flat memory of which address 0 is not mapped, and
 * queues worked by hand. Offsets are written out as in the specification, not taken from the model.
 */
final class NvmeHost implements AutoCloseable {
  static final int MEMORY_SIZE = 8 << 20;
  static final long ADMIN_SQ = 0x1000;
  static final long ADMIN_CQ = 0x2000;
  static final long IO_SQ = 0x3000;
  static final long IO_CQ = 0x4000;
  static final long LIST = 0x6000;
  static final long DATA = 0x10_0000;
  static final int ADMIN_ENTRIES = 8;
  static final int IO_ENTRIES = 4;

  private static final int CAP_CC = 0x14;
  private static final int ENABLE = 0x0046_0001;

  /** A posted completion. */
  record Completion(int result, int sqHead, int sqid, int commandId, int status) {}

  /** A command: what a test sets of it. */
  record Command(
      int opcode, int namespaceId, long prp1, long prp2, int cdw10, int cdw11, int cdw12) {
    static Command admin(int opcode, int cdw10, int cdw11) {
      return new Command(opcode, 0, 0, 0, cdw10, cdw11, 0);
    }

    Command at(long iova) {
      return at(iova, 0);
    }

    Command at(long first, long second) {
      return new Command(opcode, namespaceId, first, second, cdw10, cdw11, cdw12);
    }

    Command of(int namespace) {
      return new Command(opcode, namespace, prp1, prp2, cdw10, cdw11, cdw12);
    }
  }

  /** One pair of queues as software keeps track of it. */
  final class Queues {
    final int id;
    final long sq;
    final long cq;
    final int entries;
    int tail;
    int head;
    int phase = 1;
    int nextCommandId = 100;

    Queues(int id, long sq, long cq, int entries) {
      this.id = id;
      this.sq = sq;
      this.cq = cq;
      this.entries = entries;
    }

    int put(Command command) {
      return put(command, 0);
    }

    int put(Command command, int flags) {
      long entry = sq + tail * 64L;
      memory.asSlice(entry, 64).fill((byte) 0);
      memory.set(LE8, entry, (byte) command.opcode);
      memory.set(LE8, entry + 1, (byte) flags);
      memory.set(LE16, entry + 2, (short) nextCommandId);
      memory.set(LE32, entry + 4, command.namespaceId);
      memory.set(LE64, entry + 24, command.prp1);
      memory.set(LE64, entry + 32, command.prp2);
      memory.set(LE32, entry + 40, command.cdw10);
      memory.set(LE32, entry + 44, command.cdw11);
      memory.set(LE32, entry + 48, command.cdw12);
      tail = (tail + 1) % entries;
      return nextCommandId++;
    }

    void ring() {
      write(0x1000 + 8 * id, tail);
      settle();
    }

    List<Completion> takeAll() {
      var taken = new ArrayList<Completion>();
      while (true) {
        long entry = cq + head * 16L;
        int last = memory.get(LE32, entry + 12);
        if (((last >> 16) & 1) != phase) {
          return taken;
        }
        taken.add(
            new Completion(
                memory.get(LE32, entry),
                Short.toUnsignedInt(memory.get(LE16, entry + 8)),
                Short.toUnsignedInt(memory.get(LE16, entry + 10)),
                last & 0xffff,
                last >>> 17));
        head = (head + 1) % entries;
        phase ^= head == 0 ? 1 : 0;
      }
    }

    /** Takes completions until there are so many. */
    List<Completion> await(int count) {
      var taken = takeAll();
      long begin = System.nanoTime();
      while (taken.size() < count && System.nanoTime() - begin < PATIENCE_NANOS) {
        awaitRequest();
        taken.addAll(takeAll());
      }
      return taken;
    }

    void acknowledge() {
      write(0x1000 + 8 * id + 4, head);
    }

    /** Sends one command and returns its completion. */
    Completion run(Command command) {
      return run(command, 0);
    }

    /** Sends one command with flags, such as 0x40 for an SGL, and returns its completion. */
    Completion run(Command command, int flags) {
      put(command, flags);
      ring();
      var taken = await(1);
      acknowledge();
      if (taken.size() != 1) {
        throw new AssertionError("completions: " + taken);
      }
      return taken.getFirst();
    }
  }

  final NvmeModel model;
  final MemorySegment memory;

  /** Nothing from here on is mapped. */
  long mappedEnd = MEMORY_SIZE;

  /** How many separate accesses to memory the device made. */
  int accesses;

  /** Told of each access, before it. */
  LongConsumer onAccess = _ -> {};

  private long copied;

  /** The vectors signalled, in order. */
  final List<Integer> signals = new ArrayList<>();

  /** The level of the interrupt line. */
  boolean line;

  Queues admin = new Queues(0, ADMIN_SQ, ADMIN_CQ, ADMIN_ENTRIES);
  Queues io = new Queues(1, IO_SQ, IO_CQ, IO_ENTRIES);

  private static final long PATIENCE_NANOS = 20_000_000_000L;

  private final Arena arena = Arena.ofShared();
  private final Semaphore requests = new Semaphore(0);

  /** How many pieces of memory are lent at the moment. */
  final AtomicInteger leases = new AtomicInteger();

  private final boolean isLending;

  NvmeHost(NvmeModelOptions options) {
    this(NvmeModel.of(options));
  }

  NvmeHost(NvmeModel model) {
    this(model, false);
  }

  /** A host that lends its memory, or that only copies. */
  NvmeHost(NvmeModelOptions options, boolean isLending) {
    this(NvmeModel.of(options), isLending);
  }

  private NvmeHost(NvmeModel model, boolean isLending) {
    this.model = model;
    this.isLending = isLending;
    memory = arena.allocate(MEMORY_SIZE, 1 << 16);
    model.connectPoll(requests::release);
    model.connect(
        new Port(),
        new InterruptPort() {
          @Override
          public void signal(int vector) {
            signals.add(vector);
          }

          @Override
          public void line(boolean asserted) {
            line = asserted;
          }
        });
  }

  private final DmaLease lease =
      new DmaLease() {
        @Override
        public long address(long iova) {
          return memory.address() + iova;
        }

        @Override
        public void end(long iova, long byteSize, boolean wasWritten) {
          leases.decrementAndGet();
        }
      };

  private final class Port implements DmaPort {
    @Override
    public void read(long iova, MemorySegment target) throws DmaFaultException {
      target.copyFrom(find(iova, target.byteSize()));
    }

    @Override
    public void write(long iova, MemorySegment source) throws DmaFaultException {
      find(iova, source.byteSize()).copyFrom(source);
    }

    @Override
    public @Nullable DmaLease lease(long iova, long byteSize, boolean isWritten)
        throws DmaFaultException {
      if (!isLending) {
        return null;
      }
      find(iova, byteSize);
      copied -= byteSize;
      leases.incrementAndGet();
      return lease;
    }

    private MemorySegment find(long iova, long byteSize) throws DmaFaultException {
      accesses++;
      onAccess.accept(iova);
      copied += byteSize;
      if (iova < 0x1000 || iova + byteSize > mappedEnd) {
        throw new DmaFaultException(iova, "not mapped");
      }
      return memory.asSlice(iova, byteSize);
    }
  }

  /** How many bytes the device has copied from and to memory since this was last asked. */
  long takeCopied() {
    long taken = copied;
    copied = 0;
    return taken;
  }

  /** Does what the controller asks for, until it asks for no more. */
  void settle() {
    while (requests.tryAcquire()) {
      poll();
    }
  }

  private void poll() {
    while (model.poll()) {
      // There may be more.
    }
  }

  /** Waits until the controller asks to be polled, for a short time, and polls it. */
  void awaitRequest() {
    try {
      if (requests.tryAcquire(10, TimeUnit.MILLISECONDS)) {
        poll();
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  int read(int offset) {
    return (int) model.read(0, offset, 4);
  }

  void write(int offset, int value) {
    model.write(0, offset, 4, value);
  }

  int status() {
    return read(0x1c);
  }

  void configure(int value) {
    write(CAP_CC, value);
  }

  /** Starts the controller with fresh admin queues. */
  NvmeHost enable() {
    return enable(0);
  }

  /** Starts the controller with pages of 4096 bytes times two to the {@code mps}. */
  NvmeHost enable(int mps) {
    memory.asSlice(ADMIN_SQ, 0x4000).fill((byte) 0);
    admin = new Queues(0, ADMIN_SQ << mps, ADMIN_CQ << mps, ADMIN_ENTRIES);
    write(0x24, (ADMIN_ENTRIES - 1) | ((ADMIN_ENTRIES - 1) << 16));
    write(0x28, (int) admin.sq);
    write(0x2c, 0);
    write(0x30, (int) admin.cq);
    write(0x34, 0);
    configure(ENABLE | (mps << 7));
    return this;
  }

  /** Starts the controller and creates one pair of I/O queues. */
  NvmeHost enableIo() {
    enable();
    createIoQueues();
    return this;
  }

  void createIoQueues() {
    io = new Queues(1, IO_SQ, IO_CQ, IO_ENTRIES);
    int size = (IO_ENTRIES - 1) << 16;
    int status =
        admin.run(Command.admin(0x05, 1 | size, 1).at(IO_CQ)).status
            | admin.run(Command.admin(0x01, 1 | size, 1 | (1 << 16)).at(IO_SQ)).status;
    if (status != 0) {
      throw new AssertionError("status " + status);
    }
  }

  /** Creates a pair of I/O queues of {@code entries} entries, with an interrupt. */
  Queues createQueues(int id, long sq, long cq, int entries) {
    int size = (entries - 1) << 16;
    memory.asSlice(cq, 16L * entries).fill((byte) 0);
    int status =
        admin.run(Command.admin(0x05, id | size, 3 | (id << 16)).at(cq)).status
            | admin.run(Command.admin(0x01, id | size, 1 | (id << 16)).at(sq)).status;
    if (status != 0) {
      throw new AssertionError("status " + status);
    }
    return new Queues(id, sq, cq, entries);
  }

  /** An I/O command on blocks of namespace 1. */
  static Command blocks(int opcode, long lba, int count) {
    return new Command(opcode, 1, DATA, 0, (int) lba, (int) (lba >>> 32), count - 1);
  }

  @Override
  public void close() {
    model.close();
    arena.close();
  }
}
