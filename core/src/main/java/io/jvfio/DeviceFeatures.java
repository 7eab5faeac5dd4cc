// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.DeviceAnswers;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.OpenFile;
import io.jvfio.kernel.VfToken;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceFeature;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaBuf;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigration;
import io.jvfio.linux.uapi.VfioDeviceLowPowerEntryWithWakeup;
import io.jvfio.linux.uapi.VfioRegionDmaRange;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;

/**
 * The optional features of a device, its driver and this kernel. Source: {@code
 * drivers/vfio/vfio_main.c}, {@code drivers/vfio/pci/vfio_pci_core.c}.
 *
 * <p>Low power and tokens are vfio-pci's; migration and logs of writes are those of a vendor's own
 * VFIO driver. A feature that is not there is refused with ENOTTY, and an error that says whose
 * lack it is.
 *
 * <p>Safe for use by several threads. What is opened here is closed with the device at the latest.
 */
public final class DeviceFeatures {
  private static final int O_RDWR_CLOEXEC = Kernel.O_RDWR | 0x8_0000;

  private final HostFacts facts;
  private final OpenFile file;
  private final Consumer<AutoCloseable> adopt;

  /**
   * The features of a device.
   *
   * @param adopt takes what is to be closed with the device
   */
  DeviceFeatures(HostFacts facts, OpenFile file, Consumer<AutoCloseable> adopt) {
    this.facts = facts;
    this.file = file;
    this.adopt = adopt;
  }

  /** Returns the features that there are, each of which the kernel is asked for. */
  public Set<DeviceFeature> supported() {
    var found = EnumSet.noneOf(DeviceFeature.class);
    for (var feature : DeviceFeature.values()) {
      if (has(feature)) {
        found.add(feature);
      }
    }
    return Collections.unmodifiableSet(found);
  }

  /**
   * Whether a feature is there.
   *
   * @throws VfioException if the kernel answers with anything but yes or no
   */
  public boolean has(DeviceFeature feature) {
    try (var arena = Arena.ofConfined()) {
      int result = call(struct(arena, feature.probe(), 0));
      // Kernels without a feature know neither its number nor the command itself.
      if (result == Errno.ENOTTY.result() || result == Errno.EINVAL.result()) {
        return false;
      }
      check(feature, "probe", result);
      return true;
    }
  }

  /**
   * Sets the token that users of this device's virtual functions must know: whoever opens one gives
   * it with {@link VfioHost#withVfToken}. Those that are open stay open.
   *
   * @throws VfioException if the device is no physical function with virtual ones
   */
  public void setVfToken(UUID token) {
    try (var arena = Arena.ofConfined()) {
      var struct = struct(arena, DeviceFeature.VF_TOKEN.use(), VfToken.SIZE);
      data(struct).copyFrom(VfToken.bytes(arena, token));
      check(DeviceFeature.VF_TOKEN, "set", call(struct));
    }
  }

  /**
   * Lets the device sleep as deeply as the platform can. Any use of it through the kernel wakes it
   * for that use; mapped registers do not answer until {@link #exitLowPower()}, and accesses to
   * them throw. Mask or remove interrupts first: those of a sleeping device are lost.
   *
   * @throws VfioException if the device is in low power already, or there is no such feature
   */
  public void enterLowPower() {
    use(DeviceFeature.LOW_POWER_ENTRY);
  }

  /**
   * Enters low power as {@link #enterLowPower()} does, until the first use of the device or an
   * event of its own ends it, which is told.
   *
   * @return what tells it; to be closed by the caller, which leaves the device as it is
   * @throws VfioException as {@link #enterLowPower()}
   */
  public LowPowerWakeup enterLowPowerUntilWoken() {
    var feature = DeviceFeature.LOW_POWER_ENTRY_WITH_WAKEUP;
    try (var undo = new Cleanup();
        var arena = Arena.ofConfined()) {
      int fd = facts.kernel().eventFd(0, Kernel.EFD_NONBLOCK);
      if (fd < 0) {
        var errno = Errno.ofResult(fd);
        throw Explanations.eventFd(errno).failure("eventfd", file.name(), errno);
      }
      var event = new OpenFile(facts.kernel(), "wake-up event of " + file.name(), fd);
      undo.add(event::close);
      var struct = struct(arena, feature.use(), VfioDeviceLowPowerEntryWithWakeup.BYTES);
      VfioDeviceLowPowerEntryWithWakeup.WAKEUP_EVENTFD.set(data(struct), event.fd());
      check(feature, "set", call(struct));
      undo.release();
      var wakeup = new LowPowerWakeup(facts.kernel(), event);
      adopt.accept(wakeup);
      return wakeup;
    }
  }

  /**
   * Ends low power; no effect where there is none.
   *
   * @throws VfioException if there is no such feature, or the device does not wake
   */
  public void exitLowPower() {
    use(DeviceFeature.LOW_POWER_EXIT);
  }

  /**
   * Migration of the device.
   *
   * @throws VfioException if its driver cannot migrate it
   */
  public Migration migration() {
    try (var arena = Arena.ofConfined()) {
      var struct = struct(arena, DeviceFeature.MIGRATION.use(), VfioDeviceFeatureMigration.BYTES);
      check(DeviceFeature.MIGRATION, "get", call(struct));
      return new Migration(this, VfioDeviceFeatureMigration.FLAGS.get(data(struct)));
    }
  }

  /**
   * Starts the device's own log of the pages that it writes; there can be one at a time.
   *
   * @param pageSize the bytes that one bit should stand for, a power of two; the device may take
   *     another number ({@link DmaLogging#pageSize()})
   * @param ranges the addresses to watch: at least one, as many as {@code struct
   *     vfio_device_feature_dma_logging_range} have room for in a page, multiples of {@code
   *     pageSize}, none overlapping another
   * @return the log, which ends when it is closed
   * @throws VfioException if the driver keeps no such log, one is running, or the device cannot
   *     watch that much
   * @throws IllegalArgumentException if the ranges are not as said
   */
  public DmaLogging startDmaLogging(long pageSize, List<DmaRange> ranges) {
    var log = DmaLogging.start(this, facts.kernel().pageSize(), pageSize, ranges);
    adopt.accept(log);
    return log;
  }

  /**
   * Gives parts of a memory BAR to other drivers as a dma-buf; Linux 6.19 and later have it.
   *
   * @param region the BAR
   * @param parts at least one, in whole pages
   * @return the dma-buf; it outlives this device, but its memory does not
   * @throws VfioException if the driver or kernel cannot, or the region is none of memory
   */
  public DmaBuf exportDmaBuf(Region region, List<MappableArea> parts) {
    if (parts.isEmpty()) {
      throw new IllegalArgumentException("no part of " + region.info().label() + " to export");
    }
    try (var arena = Arena.ofConfined()) {
      var struct =
          struct(
              arena,
              DeviceFeature.DMA_BUF.use(),
              VfioDeviceFeatureDmaBuf.BYTES + parts.size() * VfioRegionDmaRange.BYTES);
      var data = data(struct);
      VfioDeviceFeatureDmaBuf.REGION_INDEX.set(data, region.info().index());
      VfioDeviceFeatureDmaBuf.OPEN_FLAGS.set(data, O_RDWR_CLOEXEC);
      VfioDeviceFeatureDmaBuf.NR_RANGES.set(data, parts.size());
      for (int i = 0; i < parts.size(); i++) {
        var range = data.asSlice(VfioDeviceFeatureDmaBuf.BYTES + i * VfioRegionDmaRange.BYTES);
        VfioRegionDmaRange.OFFSET.set(range, parts.get(i).offset());
        VfioRegionDmaRange.LENGTH.set(range, parts.get(i).byteSize());
      }
      int fd = call(struct);
      check(DeviceFeature.DMA_BUF, region.info().label(), fd);
      var buffer =
          new DmaBuf(
              new OpenFile(
                  facts.kernel(), "dma-buf of " + file.name() + ", " + region.info().label(), fd));
      adopt.accept(buffer);
      return buffer;
    }
  }

  private void use(DeviceFeature feature) {
    try (var arena = Arena.ofConfined()) {
      check(feature, "set", call(struct(arena, feature.use(), 0)));
    }
  }

  Kernel kernel() {
    return facts.kernel();
  }

  /** What the device's errors mean. */
  DeviceAnswers answers() {
    return file.answers();
  }

  /** What messages call the device. */
  String subject() {
    return file.name();
  }

  /** Has something closed with the device. */
  void adopt(AutoCloseable opened) {
    adopt.accept(opened);
  }

  /** A zeroed struct with room for {@code dataSize} bytes behind its head. */
  static MemorySegment struct(SegmentAllocator allocator, int flags, long dataSize) {
    var struct = allocator.allocate(VfioDeviceFeature.BYTES + dataSize, Long.BYTES);
    VfioDeviceFeature.ARGSZ.set(struct, (int) struct.byteSize());
    VfioDeviceFeature.FLAGS.set(struct, flags);
    return struct;
  }

  /** What is behind the head of a struct. */
  static MemorySegment data(MemorySegment struct) {
    return struct.asSlice(VfioDeviceFeature.BYTES);
  }

  int call(MemorySegment struct) {
    return file.ioctl(Vfio.VFIO_DEVICE_FEATURE, struct);
  }

  /** Throws what a failed call means. */
  void check(DeviceFeature feature, String what, int result) {
    if (result < 0) {
      throw failure(feature, what, Errno.ofResult(result), "");
    }
  }

  /** A failed call; {@code state} is a sentence on what it has left, or empty. */
  VfioException failure(DeviceFeature feature, String what, Errno errno, String state) {
    var why = file.answers().feature(feature, errno, facts);
    return new VfioException(
        "%s(%s, %s)".formatted(Vfio.VFIO_DEVICE_FEATURE.name(), feature, what),
        file.name(),
        errno,
        state.isEmpty() ? why.meaning() : why.meaning() + " " + state,
        why.nextStep());
  }

  @Override
  public String toString() {
    return "features of " + file.name();
  }
}
