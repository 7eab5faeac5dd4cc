// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.model.Bar;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaLease;
import io.jvfio.model.DmaPort;
import io.jvfio.model.RefusedAccessException;
import io.jvfio.model.ResetReason;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A device model and what its host adds: configuration space, interrupts, the way to the memory of
 * whoever is its client. It outlives clients. All methods but those of interrupts want the lock.
 */
public final class ServedDevice implements DmaPort {
  static final int BARS = 6;
  static final int CONFIG_REGION = 7;
  static final int REGIONS = 9;

  /** Some 10 us. */
  private static final int LOCK_ROUNDS = 500;

  private static final long LOCK_NANOS = 50_000;

  /** How long transfers may go on when their memory is taken away, or their device is stopped. */
  static final long TRANSFER_NANOS = 1_000_000_000;

  private static final ValueLayout.OfShort LE16 = LittleEndianLayouts.U16;
  private static final ValueLayout.OfInt LE32 = LittleEndianLayouts.U32;
  private static final ValueLayout.OfLong LE64 = LittleEndianLayouts.U64;

  /** Of lines for the operator about the same fault. */
  private static final long QUIET_NANOS = 1_000_000_000;

  private static final System.Logger LOG = System.getLogger("io.jvfio");

  /** One caller of the model at a time. */
  public final ReentrantLock lock = new ReentrantLock();

  /** How many wait for the lock who come before the device's own work. */
  private final AtomicInteger wanted = new AtomicInteger();

  private final DeviceModel model;
  private final ServedConfig config;
  private final ServedInterrupts interrupts;
  private final long[] barSizes = new long[BARS];

  /** The memory of the client that there is, or null. */
  private volatile @Nullable ClientMemory memory;

  /** What the client may write by eventfds, and its migrations; null without a client. */
  private @Nullable IoEventFds ioEvents;

  private @Nullable MigrationServer migration;

  /** Registers that the client has as memory; null without a client, or without such. */
  private @Nullable SharedRegisters shared;

  /** Ends what there is with the client, for a reason; null without one. */
  private @Nullable Consumer<String> cutOff;

  /** Changes when a client comes and when it goes. */
  private final AtomicInteger clientNumber = new AtomicInteger();

  private final Kernel kernel;
  private final DevicePoller poller;
  private final boolean isPolling;

  /** The model has thrown an error, so that nobody knows in which state it is. */
  private boolean hasFailed;

  private boolean isClosed;

  /** When a failure was told of last, and how many were not since. */
  private long toldAt = System.nanoTime() - QUIET_NANOS;

  private long untold;

  /** The descriptor by which the poller hears of eventfds, or -1. */
  private int watched = -1;

  /**
   * Connects a model to what will serve it.
   *
   * @param kernel makes the system calls
   * @param poller waits for what the client signals, and for what the device asks
   * @param isPolling whether the client's thread polls all the time, and need not be asked to
   */
  public ServedDevice(Kernel kernel, DeviceModel model, DevicePoller poller, boolean isPolling) {
    this.kernel = kernel;
    this.model = model;
    this.poller = poller;
    this.isPolling = isPolling;
    config = new ServedConfig(model);
    interrupts = new ServedInterrupts(kernel, config, model.msixVectors(), poller);
    for (Bar bar : model.bars()) {
      barSizes[bar.index()] = bar.byteSize();
    }
    model.connectPoll(isPolling ? () -> {} : poller::request);
    if (!isPolling) {
      model.connectPollEvent(poller.eventFd());
    }
    model.connect(this, interrupts);
    config.restart();
  }

  /** Takes {@link #lock} for the device's own work, which comes after everything else. */
  void acquire() {
    while (wanted.get() > 0 || !acquireSoon()) {
      LockSupport.parkNanos(LOCK_NANOS);
    }
  }

  /**
   * Takes {@link #lock} before the device's own work may have it again. To wait in the lock's queue
   * would not do: a device that always has work takes it again before the queue is looked at.
   */
  public void acquireFirst() {
    acquireUnless(() -> false);
  }

  /**
   * Takes {@link #lock} for a command of the client's.
   *
   * @param hasToGive says that who has it waits for something else of the client's first
   * @return whether it is taken
   */
  boolean acquireUnless(BooleanSupplier hasToGive) {
    if (acquireSoon()) {
      return true;
    }
    wanted.incrementAndGet();
    try {
      while (!lock.tryLock()) {
        if (hasToGive.getAsBoolean()) {
          return false;
        }
        LockSupport.parkNanos(LOCK_NANOS);
      }
      return true;
    } finally {
      wanted.decrementAndGet();
    }
  }

  /**
   * Others have it for a register access or a round of the device's work, mostly. To wait in its
   * queue takes longer than that, and allocates.
   */
  private boolean acquireSoon() {
    for (int i = 0; i < LOCK_ROUNDS; i++) {
      if (lock.tryLock()) {
        return true;
      }
      Thread.onSpinWait();
    }
    return false;
  }

  DeviceModel model() {
    return model;
  }

  ServedConfig config() {
    return config;
  }

  public ServedInterrupts interrupts() {
    return interrupts;
  }

  /** The size of a region in bytes; 0 if the device has none of this index. */
  long regionSize(int region) {
    if (region == CONFIG_REGION) {
      return config.byteSize();
    }
    return region >= 0 && region < BARS ? barSizes[region] : 0;
  }

  /**
   * A client has come.
   *
   * @param end ends what there is with it, for a reason; from any thread
   */
  void connect(
      ClientMemory clientMemory,
      IoEventFds events,
      MigrationServer migrations,
      Consumer<String> end) {
    if (hasFailed) {
      restart(); // in what it did while nobody was here
    }
    memory = clientMemory;
    ioEvents = events;
    migration = migrations;
    cutOff = end;
    clientNumber.incrementAndGet();
    if (isPolling) {
      shared = SharedRegisters.open(kernel, model); // a store there wakes nobody
    } else {
      poller.request(); // there may be work that was left when the last client went
    }
  }

  /** Registers of a region that the client may have as memory, or null. */
  @Nullable SharedRegisters shared(int region) {
    var present = shared;
    return present != null && present.registers().bar() == region ? present : null;
  }

  /** Whether there are registers that a client could have as memory if this server polled. */
  boolean couldShare() {
    return !isPolling && model.mappableRegisters().isPresent();
  }

  /** A number that changes when a client comes and when it goes; without the lock. */
  int clientNumber() {
    return clientNumber.get();
  }

  /**
   * The model has thrown something, on whatever thread: an exception is a mistake in it, which the
   * operator is told of; after an error nobody knows what it has done, so that the client goes and
   * the device is reset.
   *
   * @param operation of the model
   */
  void failed(String operation, Throwable thrown) {
    if (thrown instanceof Error) {
      hasFailed = true;
      LOG.log(Level.ERROR, "a device model failed in " + operation + ": " + told(thrown), thrown);
      var present = cutOff;
      if (present != null) {
        present.accept("Its device failed: " + told(thrown) + ".");
      }
      return;
    }
    long now = System.nanoTime();
    if (now - toldAt < QUIET_NANOS) {
      untold++; // a client can have this happen as often as it likes
      return;
    }
    var others = untold > 0 ? " (and %,d times since the last line)".formatted(untold) : "";
    toldAt = now;
    untold = 0;
    LOG.log(
        Level.ERROR,
        "a device model failed in " + operation + ": " + told(thrown) + others,
        thrown);
  }

  /** What was thrown and where, in one line. */
  public static String told(Throwable thrown) {
    var where = thrown.getStackTrace();
    return thrown.toString().replaceAll("\\s+", " ") + (where.length > 0 ? " at " + where[0] : "");
  }

  /** The client has been given eventfds; 0, or a negated errno if nobody waits for them. */
  int watchIoEvents() {
    var events = ioEvents;
    if (events == null || watched >= 0 || events.fd() < 0) {
      return 0;
    }
    int result = poller.watchSet(events.fd());
    if (result >= 0) {
      watched = events.fd();
    }
    return result;
  }

  /** A descriptor of the client's is signalled. */
  void signalled(int fd) {
    var events = ioEvents;
    if (events == null || fd != watched) {
      interrupts.signalled(fd);
    } else if (isHalted()) {
      poller.unwatch(watched); // until the device goes on
      watched = -1;
    } else {
      events.poll();
    }
  }

  /** Whether a migration has stopped the device. */
  boolean isHalted() {
    var present = migration;
    return present != null && present.isHalted();
  }

  /** The device may reach memory again that has changed; not while it is stopped. */
  void resume() {
    if (!isHalted()) {
      model.resume();
    }
  }

  /**
   * Waits for what is leased of a client's memory, which is about to be taken away; while the
   * device is quiet, and not for long.
   */
  void awaitLeases(ClientMemory present, long iova, long byteSize) {
    if (present.isLeased(iova, byteSize)) {
      model.awaitTransfers(TRANSFER_NANOS);
    }
  }

  /** A migration has brought another state. */
  void restored() {
    config.reload();
    interrupts.configChanged();
  }

  /**
   * The client has gone. What its device did with memory is over: whoever comes next maps other
   * memory at the same addresses.
   */
  void disconnect(boolean retainsState) {
    clientNumber.incrementAndGet();
    var left = shared;
    shared = null;
    if (left != null) {
      attempt("unmapRegisters()", left::close);
    }
    attempt("quiesce()", model::quiesce);
    interrupts.disconnect();
    if (watched >= 0) {
      poller.unwatch(watched);
      watched = -1;
    }
    ioEvents = null;
    migration = null;
    cutOff = null;
    var lost = memory;
    memory = null;
    if (lost != null) {
      attempt("awaitTransfers()", () -> awaitLeases(lost, 0, -1));
      lost.close();
    }
    if (retainsState && !hasFailed) {
      config.stopDma();
    } else {
      restart();
    }
    attempt("resume()", model::resume);
  }

  /** Makes a new device of the last client's. */
  private void restart() {
    hasFailed = false;
    config.restart();
    attempt("reset()", () -> model.reset(ResetReason.CLIENT_LOST));
  }

  /** Has a model that fails keep nothing from being given back. */
  private void attempt(String operation, Runnable call) {
    try {
      call.run();
    } catch (RuntimeException | Error e) {
      failed(operation, e);
    }
  }

  /** Closes the model, which is called no more from then on; without the lock. */
  public void close() {
    acquireFirst();
    try {
      isClosed = true;
      model.close();
    } finally {
      lock.unlock();
    }
  }

  /** Lets the device work for a round: whether there may be more. */
  boolean poll() {
    return !isClosed && !isHalted() && model.poll();
  }

  /** The client asks for a reset: configuration space keeps its values, as with vfio-pci. */
  void reset() {
    model.reset(ResetReason.DEVICE_RESET);
    config.wakeUp();
    afterReset();
  }

  private void afterReset() {
    if (ioEvents != null) {
      ioEvents.discard();
    }
    if (migration != null) {
      migration.reset();
    }
  }

  private boolean isInside(int region, long offset, int count) {
    long size = regionSize(region);
    return size > 0 && count >= 0 && offset >= 0 && count <= size && offset <= size - count;
  }

  /**
   * Reads a region, in naturally aligned accesses of up to 8 bytes.
   *
   * @return 0, or a negated errno
   */
  int read(int region, long offset, int count, MemorySegment target, long at) {
    if (!isInside(region, offset, count)) {
      return Errno.EINVAL.result();
    }
    if (region == CONFIG_REGION) {
      config.read((int) offset, count, target, at);
      return 0;
    }
    try {
      int width;
      for (int done = 0; done < count; done += width) {
        width = width(offset + done, count - done);
        long value = model.read(region, offset + done, width);
        switch (width) {
          case 1 -> target.set(ValueLayout.JAVA_BYTE, at + done, (byte) value);
          case 2 -> target.set(LE16, at + done, (short) value);
          case 4 -> target.set(LE32, at + done, (int) value);
          default -> target.set(LE64, at + done, value);
        }
      }
      return 0;
    } catch (RefusedAccessException _) {
      return Errno.EINVAL.result();
    }
  }

  /** Writes a region; as {@link #read}. */
  int write(int region, long offset, int count, MemorySegment source, long at) {
    if (!isInside(region, offset, count)) {
      return Errno.EINVAL.result();
    }
    if (region == CONFIG_REGION) {
      if (config.write((int) offset, count, source, at)) {
        config.restart();
        model.reset(ResetReason.FUNCTION_LEVEL_RESET);
        afterReset();
      }
      interrupts.configChanged();
      return 0;
    }
    try {
      int width;
      for (int done = 0; done < count; done += width) {
        width = width(offset + done, count - done);
        long value =
            switch (width) {
              case 1 -> Byte.toUnsignedLong(source.get(ValueLayout.JAVA_BYTE, at + done));
              case 2 -> Short.toUnsignedLong(source.get(LE16, at + done));
              case 4 -> Integer.toUnsignedLong(source.get(LE32, at + done));
              default -> source.get(LE64, at + done);
            };
        model.write(region, offset + done, width, value);
      }
      return 0;
    } catch (RefusedAccessException _) {
      return Errno.EINVAL.result();
    }
  }

  /** The widest access that is aligned and not too long. */
  private static int width(long offset, int left) {
    int aligned = (int) Math.min(Long.lowestOneBit(offset | Long.BYTES), Long.BYTES);
    return Math.min(aligned, Integer.highestOneBit(left));
  }

  private ClientMemory memory(long iova) throws DmaFaultException {
    var present = memory;
    if (present == null) {
      throw new DmaFaultException(iova, "the device has no client");
    }
    return present;
  }

  @Override
  public void read(long iova, MemorySegment target) throws DmaFaultException {
    memory(iova).read(iova, target);
  }

  @Override
  public void write(long iova, MemorySegment source) throws DmaFaultException {
    memory(iova).write(iova, source);
  }

  @Override
  public void read(long iova, MemorySegment target, long offset, long length)
      throws DmaFaultException {
    memory(iova).read(iova, target, offset, length);
  }

  @Override
  public void write(long iova, MemorySegment source, long offset, long length)
      throws DmaFaultException {
    memory(iova).write(iova, source, offset, length);
  }

  @Override
  public @Nullable DmaLease lease(long iova, long byteSize, boolean isWritten)
      throws DmaFaultException {
    return memory(iova).lease(iova, byteSize, isWritten);
  }
}
