// SPDX-License-Identifier: Apache-2.0
package io.jvfio.bench;

import io.jvfio.DmaAccess;
import io.jvfio.DmaBuffer;
import io.jvfio.DmaSpace;
import io.jvfio.IommuType;
import io.jvfio.PciConfigSpace;
import io.jvfio.Region;
import io.jvfio.RegionInfo;
import io.jvfio.VfioDevice;
import io.jvfio.linux.LinuxKernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The least that an NVMe controller can be: registers and queues in memory, and no data. The driver
 * gets them as it gets a mapped BAR and DMA buffers of a device, so what it does costs what it
 * always costs.
 *
 * <p>While it is opened and closed a thread answers its admin commands. I/O commands are completed
 * when {@link #complete} is called, by the thread that has put them, so that nothing else than that
 * call is between a doorbell and its completion.
 *
 * <p>Source: NVM Express Base Specification, "Controller Properties", "Admin Command Set".
 */
final class RingController implements AutoCloseable {
  private static final ValueLayout.OfInt LE32 =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LE64 =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final VarHandle INT = LE32.varHandle();

  private static final long BAR_BYTES = 0x4000;
  private static final long MEMORY_BYTES = 64 << 20;
  private static final long PAGE = 4096;

  private static final long CAP = 0;
  private static final long VS = 0x08;
  private static final long CC = 0x14;
  private static final long CSTS = 0x1c;
  private static final long AQA = 0x24;
  private static final long ASQ = 0x28;
  private static final long ACQ = 0x30;
  private static final long DOORBELLS = 0x1000;

  private static final int READY = 1;
  private static final int SHUTDOWN_COMPLETE = 2 << 2;
  private static final int SHUTDOWN_MASK = 3 << 14;

  /** MQES 1023, contiguous queues, a time-out of 10 s, the NVM command set. */
  private static final long CAPABILITIES = 1023 | 1 << 16 | 20L << 24 | 1L << 37;

  private static final int VERSION_1_4 = 0x10400;
  private static final int TRANSFER_SHIFT = 5;
  private static final int BLOCK_SHIFT = 9;
  private static final long BLOCKS = 1 << 20;

  private static final int CREATE_SUBMISSION_QUEUE = 0x01;
  private static final int CREATE_COMPLETION_QUEUE = 0x05;
  private static final int IDENTIFY = 0x06;
  private static final int SET_FEATURES = 0x09;
  private static final int DELETE_SUBMISSION_QUEUE = 0x00;
  private static final int DELETE_COMPLETION_QUEUE = 0x04;
  private static final int ASYNC_EVENT_REQUEST = 0x0c;
  private static final int INVALID_OPCODE = 1;
  private static final int ENTRY = 64;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment bar = arena.allocate(BAR_BYTES, PAGE);
  private final MemorySegment memory = arena.allocate(MEMORY_BYTES, PAGE);
  private final Rings[] queues = new Rings[64];
  private final VfioDevice device;
  private long nextIova = PAGE;
  private @Nullable Thread admin;
  private volatile boolean isServing;

  RingController() {
    bar.set(LE64, CAP, CAPABILITIES);
    bar.set(LE32, VS, VERSION_1_4);
    var registers = LinuxKernel.instance().registers(bar.address(), BAR_BYTES);
    var info = new RegionInfo(0, BAR_BYTES, true, true, false, false);
    var region =
        answering(
            Region.class,
            (_, method, _) ->
                switch (method.getName()) {
                  case "registers" -> registers;
                  case "info" -> info;
                  case "mappableAreas" -> List.of();
                  default -> throw new UnsupportedOperationException(method.getName());
                });
    var space =
        answering(
            DmaSpace.class,
            (_, method, arguments) ->
                switch (method.getName()) {
                  case "allocate" -> allocate((long) arguments[0]);
                  case "type" -> IommuType.NOIOMMU;
                  default -> throw new UnsupportedOperationException(method.getName());
                });
    var config =
        answering(
            PciConfigSpace.class,
            (_, method, _) ->
                switch (method.getName()) {
                  case "read16" -> 0;
                  case "write16" -> null;
                  default -> throw new UnsupportedOperationException(method.getName());
                });
    device =
        answering(
            VfioDevice.class,
            (_, method, _) ->
                switch (method.getName()) {
                  case "name" -> "0000:00:00.0";
                  case "region" -> region;
                  case "dmaSpace" -> space;
                  case "config" -> config;
                  case "isClosed" -> false;
                  case "enableBusMaster", "disableBusMaster" -> null;
                  default -> throw new UnsupportedOperationException(method.getName());
                });
  }

  /** Of interfaces of which a driver needs little while it is opened, and nothing later. */
  private static <T> T answering(Class<T> type, InvocationHandler answers) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, answers));
  }

  /** The controller as a device to open a driver on. */
  VfioDevice device() {
    return device;
  }

  private synchronized Buffer allocate(long byteSize) {
    long start = nextIova;
    nextIova += (byteSize + PAGE - 1) & -PAGE;
    return new Buffer(memory.asSlice(start, byteSize), start);
  }

  /** Memory whose IO virtual address is its place in {@link #memory}. */
  private record Buffer(MemorySegment segment, long iova) implements DmaBuffer {
    @Override
    public DmaAccess access() {
      return DmaAccess.READ_WRITE;
    }

    @Override
    public boolean isMapped() {
      return true;
    }

    @Override
    public void map() {}

    @Override
    public void unmap() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void rebase(MemorySegment other) {
      throw new UnsupportedOperationException();
    }

    @Override
    public long pageSize() {
      return PAGE;
    }

    @Override
    public Optional<String> fallback() {
      return Optional.empty();
    }

    @Override
    public OptionalInt fileDescriptor() {
      return OptionalInt.empty();
    }

    @Override
    public void close() {}
  }

  /** A submission queue, its completion queue, and how far the controller is in both. */
  private static final class Rings {
    long submissions;
    long completions;
    int submissionEntries;
    int completionEntries;
    int head;
    int tail;
    int phase = 1;
  }

  /** Answers admin commands from now on, in a thread of its own. */
  void serve() {
    isServing = true;
    admin = Thread.ofPlatform().name("admin").daemon().start(this::answerAll);
  }

  /** Answers no admin commands any more. */
  void pause() throws InterruptedException {
    isServing = false;
    var thread = admin;
    if (thread != null) {
      thread.join();
    }
  }

  @SuppressWarnings("ThreadPriorityCheck") // one processor may have to do for both sides
  private void answerAll() {
    while (isServing) {
      followConfiguration();
      answerCommands();
      Thread.yield();
    }
  }

  private int register(long offset) {
    return (int) INT.getAcquire(bar, offset);
  }

  private void followConfiguration() {
    int configuration = register(CC);
    int status = (configuration & 1) == 0 ? 0 : READY;
    if ((configuration & SHUTDOWN_MASK) != 0) {
      status |= SHUTDOWN_COMPLETE;
    }
    if (status == READY && register(CSTS) == 0) {
      var rings = new Rings();
      rings.submissions = bar.get(LE64, ASQ);
      rings.completions = bar.get(LE64, ACQ);
      rings.submissionEntries = (register(AQA) & 0xfff) + 1;
      rings.completionEntries = (register(AQA) >>> 16 & 0xfff) + 1;
      queues[0] = rings;
      // The tail of the time before the reset.
      INT.setRelease(bar, DOORBELLS, 0);
    }
    INT.setRelease(bar, CSTS, status);
  }

  private void answerCommands() {
    var rings = queues[0];
    if (rings == null || register(CSTS) != READY) {
      return;
    }
    int tail = register(DOORBELLS);
    while (rings.head != tail) {
      long entry = rings.submissions + (long) rings.head * ENTRY;
      rings.head = (rings.head + 1) % rings.submissionEntries;
      int first = memory.get(LE32, entry);
      if ((first & 0xff) != ASYNC_EVENT_REQUEST) {
        long result = answer(first & 0xff, entry);
        post(rings, first >>> 16, (int) result, (int) (result >>> 32));
      }
    }
  }

  /** Carries out an admin command; returns dword 0 of the completion, and above it the status. */
  private long answer(int opcode, long entry) {
    long data = memory.get(LE64, entry + 24);
    int ten = memory.get(LE32, entry + 40);
    int eleven = memory.get(LE32, entry + 44);
    int id = ten & 0xffff;
    int entries = (ten >>> 16) + 1;
    switch (opcode) {
      case IDENTIFY -> identify(ten & 0xff, data);
      case SET_FEATURES -> {
        long most = queues.length - 2L;
        return most << 16 | most;
      }
      case CREATE_COMPLETION_QUEUE -> {
        var rings = new Rings();
        rings.completions = data;
        rings.completionEntries = entries;
        queues[id] = rings;
      }
      case CREATE_SUBMISSION_QUEUE -> {
        // The pairs of this driver have one number for both.
        var rings = queues[eleven >>> 16];
        rings.submissions = data;
        rings.submissionEntries = entries;
      }
      case DELETE_SUBMISSION_QUEUE, DELETE_COMPLETION_QUEUE -> {}
      default -> {
        return (long) INVALID_OPCODE << 32;
      }
    }
    return 0;
  }

  private void identify(int structure, long page) {
    switch (structure) {
      case 0 -> {
        memory.set(LE64, page, BLOCKS);
        memory.set(LE64, page + 8, BLOCKS);
        memory.set(LE32, page + 128, BLOCK_SHIFT << 16);
      }
      case 1 -> {
        memory.set(ValueLayout.JAVA_BYTE, page + 77, (byte) TRANSFER_SHIFT);
        memory.set(LE32, page + 80, VERSION_1_4);
        memory.set(LE32, page + 512, 0x4466);
        memory.set(LE32, page + 516, 1);
      }
      default -> memory.set(LE32, page, 1);
    }
  }

  private void post(Rings rings, int command, int result, int status) {
    long entry = rings.completions + rings.tail * 16L;
    memory.set(LE32, entry, result);
    memory.set(LE32, entry + 8, rings.head);
    INT.setRelease(memory, entry + 12, command | rings.phase << 16 | status << 17);
    rings.tail++;
    if (rings.tail == rings.completionEntries) {
      rings.tail = 0;
      rings.phase ^= 1;
    }
  }

  /** Completes with success what was put into an I/O queue and shown by its doorbell. */
  void complete(int queue) {
    var rings = queues[queue];
    int tail = register(DOORBELLS + 8L * queue);
    while (rings.head != tail) {
      int first = memory.get(LE32, rings.submissions + (long) rings.head * ENTRY);
      rings.head++;
      if (rings.head == rings.submissionEntries) {
        rings.head = 0;
      }
      post(rings, first >>> 16, 0, 0);
    }
  }

  /** Makes an I/O queue that no driver has, for what {@link #complete} takes by itself. */
  void createQueue(int id, int entries) {
    var rings = new Rings();
    rings.submissions = allocate((long) entries * ENTRY).iova();
    rings.completions = allocate(entries * 16L).iova();
    rings.submissionEntries = entries;
    rings.completionEntries = entries;
    queues[id] = rings;
  }

  /** Writes the doorbell of a queue that no driver has. */
  void ring(int queue, int tail) {
    INT.setRelease(bar, DOORBELLS + 8L * queue, tail);
  }

  @Override
  public void close() {
    arena.close();
  }
}
