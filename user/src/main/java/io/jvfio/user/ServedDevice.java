package io.jvfio.user;

import io.jvfio.linux.Errno;
import io.jvfio.model.Bar;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaLease;
import io.jvfio.model.DmaPort;
import io.jvfio.model.RefusedAccessException;
import io.jvfio.model.ResetReason;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A device model and what its host adds: configuration space, interrupts, the way to the memory of
 * whoever is its client. It outlives clients. All methods but those of interrupts want the lock.
 */
final class ServedDevice implements DmaPort {
  static final int BARS = 6;
  static final int CONFIG_REGION = 7;
  static final int REGIONS = 9;

  /** Some 10 us. */
  private static final int LOCK_ROUNDS = 500;

  private static final long LOCK_NANOS = 50_000;

  /** How long memory that is leased stays with a client that takes it away. */
  static final long TRANSFER_NANOS = 1_000_000_000;

  private static final ValueLayout.OfShort LE16 = LittleEndianLayouts.U16;
  private static final ValueLayout.OfInt LE32 = LittleEndianLayouts.U32;
  private static final ValueLayout.OfLong LE64 = LittleEndianLayouts.U64;

  /** One caller of the model at a time. */
  final ReentrantLock lock = new ReentrantLock();

  /** The client's thread waits for the lock. */
  private volatile boolean isWanted;

  private final DeviceModel model;
  private final ServedConfig config;
  private final ServedInterrupts interrupts;
  private final long[] barSizes = new long[BARS];

  /** The memory of the client that there is, or null. */
  private volatile @Nullable ClientMemory memory;

  /** What the client may write by eventfds, and its migrations; null without a client. */
  private @Nullable IoEventFds ioEvents;

  private @Nullable MigrationServer migration;
  private final DevicePoller poller;

  /** The descriptor by which the poller hears of eventfds, or -1. */
  private int watched = -1;

  /**
   * Connects a model to what will serve it.
   *
   * @param poller waits for what the client signals
   * @param pollRequest what the model runs to be polled
   */
  ServedDevice(DeviceModel model, DevicePoller poller, Runnable pollRequest) {
    this.model = model;
    this.poller = poller;
    config = new ServedConfig(model);
    interrupts = new ServedInterrupts(config, model.msixVectors(), poller);
    for (Bar bar : model.bars()) {
      barSizes[bar.index()] = bar.byteSize();
    }
    model.connectPoll(pollRequest);
    model.connect(this, interrupts);
    config.restart();
  }

  /** Takes {@link #lock} for the device's own work, which comes after what the client wants. */
  void acquire() {
    while (isWanted || !acquireSoon()) {
      LockSupport.parkNanos(LOCK_NANOS);
    }
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
    isWanted = true;
    try {
      while (!lock.tryLock()) {
        if (hasToGive.getAsBoolean()) {
          return false;
        }
        LockSupport.parkNanos(LOCK_NANOS);
      }
      return true;
    } finally {
      isWanted = false;
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

  ServedInterrupts interrupts() {
    return interrupts;
  }

  /** The size of a region in bytes; 0 if the device has none of this index. */
  long regionSize(int region) {
    if (region == CONFIG_REGION) {
      return config.byteSize();
    }
    return region >= 0 && region < BARS ? barSizes[region] : 0;
  }

  void connect(ClientMemory clientMemory, IoEventFds events, MigrationServer migrations) {
    memory = clientMemory;
    ioEvents = events;
    migration = migrations;
  }

  /** The client has been given eventfds. */
  void watchIoEvents() {
    var events = ioEvents;
    if (events != null && watched < 0 && events.fd() >= 0) {
      watched = events.fd();
      poller.watchSet(watched);
    }
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
    model.quiesce();
    interrupts.disconnect();
    if (watched >= 0) {
      poller.unwatch(watched);
      watched = -1;
    }
    ioEvents = null;
    migration = null;
    var left = memory;
    memory = null;
    if (left != null) {
      try {
        awaitLeases(left, 0, -1);
      } finally {
        left.close();
      }
    }
    if (retainsState) {
      config.stopDma();
    } else {
      config.restart();
      model.reset(ResetReason.CLIENT_LOST);
    }
    model.resume();
  }

  boolean poll() {
    return !isHalted() && model.poll();
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
