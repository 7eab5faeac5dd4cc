// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceInfo;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DeviceInfoMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.IrqInfoMessage;
import io.jvfio.user.wire.RegionInfoMessage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a server says of its device: asked for once for each connection, since regions come with
 * descriptors, and a device that comes back has to be the same.
 */
final class Description implements AutoCloseable {
  /** Where the index of a region is in an offset of the device's descriptor. */
  static final int REGION_SHIFT = 44;

  /** The other bits of such an offset. */
  static final long OFFSET_MASK = (1L << REGION_SHIFT) - 1;

  private static final long LARGEST_REGION = 1L << REGION_SHIFT;
  private static final int MOST_INDEXES = 1 << 16;
  private static final int FIRST_ROOM = 1024;
  private static final int LARGEST_INFO = 64 << 10;

  /** Vendor and device, class and revision, subsystem. */
  private static final int[] IDENTITY = {0x00, 0x08, 0x2c};

  private static final int IDENTIFIED = 0x30;

  private final Kernel kernel;
  private final int flags;
  private final List<Region> regions;
  private final List<Irqs> irqs;
  private final List<Integer> identity;

  /**
   * A region.
   *
   * @param info the kernel's struct, with capabilities behind it and an offset of ours; of length 0
   *     if the server refused to tell
   * @param refusal what it refused with; 0 if it did not
   * @param fd the file to map, or -1
   * @param fileOffset where in that file the region is
   */
  record Region(MemorySegment info, int refusal, int fd, long fileOffset) {
    long byteSize() {
      return refusal == 0 ? VfioRegionInfo.SIZE.get(info) : 0;
    }

    private int flags() {
      return refusal == 0 ? VfioRegionInfo.FLAGS.get(info) : 0;
    }
  }

  /**
   * An interrupt index.
   *
   * @param refusal what the server refused with; 0 if it did not
   * @param flags as the kernel's struct has them
   * @param count how many there are
   */
  record Irqs(int refusal, int flags, int count) {}

  private Description(
      Kernel kernel, int flags, List<Region> regions, List<Irqs> irqs, List<Integer> identity) {
    this.kernel = kernel;
    this.flags = flags;
    this.regions = List.copyOf(regions);
    this.irqs = List.copyOf(irqs);
    this.identity = List.copyOf(identity);
  }

  /**
   * Asks a server; closes what came if that fails.
   *
   * @throws LinkException if the link fails, or the server refuses or makes no sense
   */
  static Description ask(Link link) throws LinkException {
    var regions = new ArrayList<Region>();
    try (var arena = Arena.ofConfined()) {
      var info = VfioDeviceInfo.STRUCT.allocate(arena);
      askDevice(link, info);
      int flags = VfioDeviceInfo.FLAGS.get(info);
      if ((flags & Vfio.VFIO_DEVICE_FLAGS_PCI) == 0) {
        throw LinkException.unusable("The device is no PCI device.");
      }
      int count = checked(link, VfioDeviceInfo.NUM_REGIONS.get(info), "regions");
      for (int i = 0; i < count; i++) {
        regions.add(askRegion(link, i));
      }
      var irqs = new ArrayList<Irqs>();
      int indexes = checked(link, VfioDeviceInfo.NUM_IRQS.get(info), "interrupt indexes");
      for (int i = 0; i < indexes; i++) {
        irqs.add(askIrqs(link, i));
      }
      return new Description(link.kernel(), flags, regions, irqs, askIdentity(link, regions));
    } catch (LinkException | RuntimeException e) {
      close(link.kernel(), regions);
      throw e;
    }
  }

  private static int checked(Link link, int count, String what) throws LinkException {
    if (count < 0 || count > MOST_INDEXES) {
      link.senseless("the device has " + Integer.toUnsignedString(count) + " " + what);
      throw LinkException.of(link);
    }
    return count;
  }

  private static void askDevice(Link link, MemorySegment info) throws LinkException {
    var request = link.begin(Command.DEVICE_GET_INFO);
    try {
      int size = DeviceInfoMessage.BYTES;
      request.message(DeviceInfoMessage.STRUCT);
      check(link, request, Calls.call(link, request, size, 0, size, Header.SIZE + FIRST_ROOM));
      MemorySegment.copy(request.reply(), Header.SIZE, info, 0, size - Header.SIZE);
    } finally {
      link.end(request);
    }
  }

  private static void check(Link link, Request request, int result) throws LinkException {
    if (Calls.isLost(result)) {
      throw LinkException.of(link);
    }
    if (result < 0) {
      throw LinkException.refused(request, Errno.ofResult(result));
    }
  }

  private static Region askRegion(Link link, int index) throws LinkException {
    int room = FIRST_ROOM;
    while (true) {
      var request = link.begin(Command.DEVICE_GET_REGION_INFO);
      try {
        int size = RegionInfoMessage.BYTES;
        var message = request.message(RegionInfoMessage.STRUCT);
        RegionInfoMessage.ARGSZ.set(message, room);
        RegionInfoMessage.INDEX.set(message, index);
        int result = Calls.call(link, request, size, 0, size, Header.SIZE + (long) room);
        if (Calls.isLost(result)) {
          throw LinkException.of(link);
        }
        if (result < 0) {
          return new Region(MemorySegment.NULL, result, -1, 0);
        }
        var info = Arena.ofAuto().allocate(request.replySize() - Header.SIZE, Long.BYTES);
        MemorySegment.copy(request.reply(), Header.SIZE, info, 0, info.byteSize());
        int needed = VfioRegionInfo.ARGSZ.get(info);
        if (Integer.compareUnsigned(needed, room) > 0 && room < LARGEST_INFO) {
          // Once more with all the room that there may be: a server that still wants more is wrong.
          room = LARGEST_INFO;
          continue;
        }
        return region(link, request, index, info);
      } finally {
        link.end(request);
      }
    }
  }

  private static Region region(Link link, Request request, int index, MemorySegment info)
      throws LinkException {
    long byteSize = VfioRegionInfo.SIZE.get(info);
    int told = VfioRegionInfo.ARGSZ.get(info);
    if (VfioRegionInfo.INDEX.get(info) != index
        || byteSize < 0
        || byteSize > LARGEST_REGION
        || told > info.byteSize()
        || told < VfioRegionInfo.BYTES
        || request.receivedCount() > 1) {
      Calls.senseless(
          link,
          request,
          "index %d, %s bytes, %d descriptors and argsz %s"
              .formatted(
                  VfioRegionInfo.INDEX.get(info),
                  Long.toUnsignedString(byteSize),
                  request.receivedCount(),
                  Integer.toUnsignedString(told)));
      throw LinkException.of(link);
    }
    long fileOffset = VfioRegionInfo.OFFSET.get(info);
    boolean mappable = (VfioRegionInfo.FLAGS.get(info) & Vfio.VFIO_REGION_INFO_FLAG_MMAP) != 0;
    int fd = mappable && request.receivedCount() == 1 ? request.take(0) : -1;
    if (fd < 0) {
      // Without a descriptor there is nothing to map, whatever the flag says.
      VfioRegionInfo.FLAGS.set(
          info, VfioRegionInfo.FLAGS.get(info) & ~Vfio.VFIO_REGION_INFO_FLAG_MMAP);
    }
    VfioRegionInfo.ARGSZ.set(info, (int) info.byteSize());
    VfioRegionInfo.OFFSET.set(info, (long) index << REGION_SHIFT);
    return new Region(info, 0, fd, fileOffset);
  }

  private static Irqs askIrqs(Link link, int index) throws LinkException {
    var request = link.begin(Command.DEVICE_GET_IRQ_INFO);
    try {
      int size = IrqInfoMessage.BYTES;
      IrqInfoMessage.INDEX.set(request.message(IrqInfoMessage.STRUCT), index);
      int result = Calls.call(link, request, size, 0, size, size);
      if (Calls.isLost(result)) {
        throw LinkException.of(link);
      }
      if (result < 0) {
        return new Irqs(result, 0, 0);
      }
      var reply = request.reply();
      int count = IrqInfoMessage.COUNT.get(reply);
      if (IrqInfoMessage.INDEX.get(reply) != index || count < 0 || count > MOST_INDEXES) {
        Calls.senseless(
            link,
            request,
            "index %d and %s interrupts"
                .formatted(IrqInfoMessage.INDEX.get(reply), Integer.toUnsignedString(count)));
        throw LinkException.of(link);
      }
      return new Irqs(0, IrqInfoMessage.FLAGS.get(reply), count);
    } finally {
      link.end(request);
    }
  }

  private static List<Integer> askIdentity(Link link, List<Region> regions) throws LinkException {
    int index = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;
    if (regions.size() <= index || regions.get(index).byteSize() < IDENTIFIED) {
      return List.of();
    }
    var identity = new ArrayList<Integer>();
    try (var arena = Arena.ofConfined()) {
      var word = arena.allocate(Layouts.U32);
      for (int offset : IDENTITY) {
        int result = Calls.readRegion(link, index, offset, word, 0, Integer.BYTES);
        if (Calls.isLost(result)) {
          throw LinkException.of(link);
        }
        identity.add(result == Integer.BYTES ? word.get(Layouts.U32, 0) : 0);
      }
    }
    return identity;
  }

  /** The flags of the device. */
  int flags() {
    return flags;
  }

  /** Whether the device can be reset. */
  boolean canReset() {
    return (flags & Vfio.VFIO_DEVICE_FLAGS_RESET) != 0;
  }

  List<Region> regions() {
    return regions;
  }

  /** The size of a region in bytes; 0 if the device has none of this index. */
  long byteSize(int region) {
    return region < regions.size() ? regions.get(region).byteSize() : 0;
  }

  List<Irqs> irqs() {
    return irqs;
  }

  /** What makes it another device than {@code other} is; empty if it can stand in for it. */
  Optional<String> difference(Description other) {
    if (!identity.equals(other.identity)) {
      return Optional.of("it has other ids in its configuration space");
    }
    if (flags != other.flags) {
      return Optional.of("it can be reset and could not before, or the other way round");
    }
    if (!irqs.equals(other.irqs)) {
      return Optional.of("it has other interrupts");
    }
    if (regions.size() != other.regions.size()) {
      return Optional.of(
          "it has %d regions, not %d".formatted(regions.size(), other.regions.size()));
    }
    for (int i = 0; i < regions.size(); i++) {
      if (!isLike(regions.get(i), other.regions.get(i))) {
        return Optional.of("region %d has another size, or other access".formatted(i));
      }
    }
    return Optional.empty();
  }

  /** Capabilities included: they tell which parts can be mapped. */
  private static boolean isLike(Region one, Region other) {
    return one.refusal == other.refusal
        && one.flags() == other.flags()
        && one.info.mismatch(other.info) == -1;
  }

  private static void close(Kernel kernel, List<Region> regions) {
    for (var region : regions) {
      if (region.fd >= 0) {
        kernel.close(region.fd);
      }
    }
  }

  /** Closes the files of regions; what is mapped stays so. */
  @Override
  public void close() {
    close(kernel, regions);
  }
}
