// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.interrupt.DeviceInterrupts;
import io.jvfio.interrupt.FileInterruptControl;
import io.jvfio.iommu.GroupAccess;
import io.jvfio.jfr.DeviceResetEvent;
import io.jvfio.jfr.Jfr;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.InfoCapability;
import io.jvfio.kernel.MalformedInfoException;
import io.jvfio.kernel.MessageCheck;
import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.PciRegs;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceInfo;
import io.jvfio.linux.uapi.VfioIrqInfo;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.linux.uapi.VfioRegionInfoCapType;
import io.jvfio.linux.uapi.VfioRegionSparseMmapArea;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A device behind a descriptor that answers the calls of a VFIO device file: the kernel's, or a
 * socket's to a vfio-user server. Source: {@code drivers/vfio/pci/vfio_pci_core.c}.
 */
final class FileDevice implements VfioDevice {
  private static final long LARGEST_INFO = 1 << 20;
  private static final long SPARSE_COUNT_OFFSET = 8;
  private static final long SPARSE_AREAS_OFFSET = 16;

  private final String name;
  private final OpenFile file;
  private final DmaSpace space;
  private final DeviceOwner owner;
  private final Optional<EehEndpoint> eeh;
  private final boolean alone;
  private final boolean resettable;
  private final List<Region> regions;
  private final DeviceInterrupts interrupts;
  private final PciConfigSpace config;
  private final DeviceHealth health;
  private final MessageCheck messages = new MessageCheck();
  private final List<AutoCloseable> registers = new ArrayList<>();
  private final AtomicBoolean closed = new AtomicBoolean();

  private FileDevice(
      String name,
      OpenFile file,
      DmaSpace space,
      DeviceOwner owner,
      boolean alone,
      Optional<OpenFile> endpoints,
      Kernel kernel) {
    this.name = name;
    this.eeh =
        endpoints.map(container -> new EehEndpoint(container, name, file.name(), this::config));
    this.file = file;
    this.space = space;
    this.owner = owner;
    this.alone = alone;
    try (var arena = Arena.ofConfined()) {
      var info = VfioDeviceInfo.STRUCT.allocate(arena);
      ask(Vfio.VFIO_DEVICE_GET_INFO, info, file.name());
      this.resettable = (VfioDeviceInfo.FLAGS.get(info) & Vfio.VFIO_DEVICE_FLAGS_RESET) != 0;
      this.regions = readRegions(kernel, VfioDeviceInfo.NUM_REGIONS.get(info));
      this.config = new ConfigRegion(regions.get(Vfio.VFIO_PCI_CONFIG_REGION_INDEX), messages);
      this.interrupts =
          new DeviceInterrupts(
              kernel,
              new FileInterruptControl(file, config, messages),
              readInterrupts(VfioDeviceInfo.NUM_IRQS.get(info)));
    }
    this.health = new DeviceHealth(config, eeh, file.answers());
  }

  /**
   * Opens a device of the kernel's.
   *
   * @param alone whether the groups were opened for this device, and are to be closed with it
   */
  static FileDevice open(
      Kernel kernel,
      GroupAccess access,
      DmaSpace space,
      PciAddress address,
      DeviceOwner owner,
      boolean alone) {
    try (var undo = new Cleanup()) {
      var file = access.openDevice(address);
      undo.add(file::close);
      var device =
          new FileDevice(address.toString(), file, space, owner, alone, access.eeh(), kernel);
      undo.release();
      return device;
    }
  }

  /** A device that shares nothing with others: its owner is closed with it. Owns {@code file}. */
  static FileDevice alone(
      Kernel kernel, String name, OpenFile file, DmaSpace space, DeviceOwner owner) {
    return new FileDevice(name, file, space, owner, true, Optional.empty(), kernel);
  }

  private void ask(Ioctl command, MemorySegment struct, String subject) {
    int result = file.ioctl(command, struct);
    if (result < 0) {
      throw failure(command.name(), subject, Errno.ofResult(result));
    }
  }

  private VfioException failure(String operation, String subject, Errno errno) {
    return file.answers().device(errno).failure(operation, subject, errno);
  }

  private List<Region> readRegions(Kernel kernel, int count) {
    if (count <= Vfio.VFIO_PCI_CONFIG_REGION_INDEX || count > 1 << 16) {
      throw new VfioException(
          Vfio.VFIO_DEVICE_GET_INFO.name(),
          file.name(),
          null,
          "A PCI device has at least 8 regions; this one tells of "
              + Integer.toUnsignedString(count)
              + ".",
          "It may be no PCI device.");
    }
    var all = new ArrayList<Region>();
    for (int index = 0; index < count; index++) {
      all.add(readRegion(kernel, index));
    }
    int index = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;
    long size = all.get(index).info().byteSize();
    if (size < PciRegs.PCI_CFG_SPACE_SIZE || size > PciRegs.PCI_CFG_SPACE_EXP_SIZE) {
      throw senseless(index, "%,d bytes of configuration space".formatted(size));
    }
    return List.copyOf(all);
  }

  private Region readRegion(Kernel kernel, int index) {
    try (var arena = Arena.ofConfined()) {
      var info = VfioRegionInfo.STRUCT.allocate(arena);
      VfioRegionInfo.INDEX.set(info, index);
      int result = file.ioctl(Vfio.VFIO_DEVICE_GET_REGION_INFO, info);
      if (result == Errno.EINVAL.result() && index == Vfio.VFIO_PCI_VGA_REGION_INDEX) {
        // No VGA: the entry stays, so that the index of a region is its place in the list.
        return new FileRegion(
            kernel, this, file, new RegionInfo(index, 0, false, false, false, false), 0, List.of());
      }
      if (result < 0) {
        throw failure(
            Vfio.VFIO_DEVICE_GET_REGION_INFO.name(),
            file.name() + ", region " + index,
            Errno.ofResult(result));
      }
      long needed = Integer.toUnsignedLong(VfioRegionInfo.ARGSZ.get(info));
      if (needed > info.byteSize()) {
        if (needed > LARGEST_INFO) {
          throw senseless(index, "an information block of %,d bytes".formatted(needed));
        }
        info = arena.allocate(needed, Layouts.U64.byteAlignment());
        VfioRegionInfo.ARGSZ.set(info, (int) needed);
        VfioRegionInfo.INDEX.set(info, index);
        ask(Vfio.VFIO_DEVICE_GET_REGION_INFO, info, file.name() + ", region " + index);
      }
      return region(kernel, index, info);
    }
  }

  private Region region(Kernel kernel, int index, MemorySegment info) {
    int flags = VfioRegionInfo.FLAGS.get(info);
    long size = VfioRegionInfo.SIZE.get(info);
    boolean mappable = (flags & Vfio.VFIO_REGION_INFO_FLAG_MMAP) != 0;
    boolean msixMappable = false;
    Optional<RegionType> type = Optional.empty();
    var areas = mappable ? List.of(new MappableArea(0, size)) : List.<MappableArea>of();
    if ((flags & Vfio.VFIO_REGION_INFO_FLAG_CAPS) != 0) {
      try {
        for (var capability : InfoCapability.chain(info, VfioRegionInfo.CAP_OFFSET.get(info))) {
          switch (capability.id()) {
            case Vfio.VFIO_REGION_INFO_CAP_SPARSE_MMAP ->
                areas = mappable ? sparseAreas(capability.content(), size) : areas;
            case Vfio.VFIO_REGION_INFO_CAP_MSIX_MAPPABLE -> msixMappable = true;
            case Vfio.VFIO_REGION_INFO_CAP_TYPE -> type = Optional.of(regionType(capability));
            default -> {} // newer than jvfio: nothing that access depends on
          }
        }
      } catch (MalformedInfoException e) {
        var failure = senseless(index, e.what());
        failure.initCause(e);
        throw failure;
      }
    }
    return new FileRegion(
        kernel,
        this,
        file,
        new RegionInfo(
            index,
            size,
            (flags & Vfio.VFIO_REGION_INFO_FLAG_READ) != 0,
            (flags & Vfio.VFIO_REGION_INFO_FLAG_WRITE) != 0,
            mappable,
            msixMappable,
            type),
        VfioRegionInfo.OFFSET.get(info),
        areas);
  }

  private static RegionType regionType(InfoCapability capability) throws MalformedInfoException {
    var content = capability.require(VfioRegionInfoCapType.BYTES);
    return new RegionType(
        VfioRegionInfoCapType.TYPE.get(content), VfioRegionInfoCapType.SUBTYPE.get(content));
  }

  private static List<MappableArea> sparseAreas(MemorySegment capability, long regionSize)
      throws MalformedInfoException {
    int count = capability.get(Layouts.U32, SPARSE_COUNT_OFFSET);
    long room = (capability.byteSize() - SPARSE_AREAS_OFFSET) / VfioRegionSparseMmapArea.BYTES;
    if (count < 0 || count > room) {
      throw new MalformedInfoException(
          Integer.toUnsignedString(count) + " mappable areas, and room for " + room);
    }
    var areas = new ArrayList<MappableArea>();
    for (int i = 0; i < count; i++) {
      var area =
          capability.asSlice(
              SPARSE_AREAS_OFFSET + i * VfioRegionSparseMmapArea.BYTES,
              VfioRegionSparseMmapArea.BYTES);
      long offset = VfioRegionSparseMmapArea.OFFSET.get(area);
      long size = VfioRegionSparseMmapArea.SIZE.get(area);
      if (offset < 0 || size < 0 || offset > regionSize - size) {
        throw new MalformedInfoException("a mappable area outside of the region");
      }
      if (size > 0) {
        areas.add(new MappableArea(offset, size));
      }
    }
    return List.copyOf(areas);
  }

  private VfioException senseless(int index, String what) {
    return file.answers()
        .senseless(what)
        .failure(Vfio.VFIO_DEVICE_GET_REGION_INFO.name(), file.name() + ", region " + index, null);
  }

  private List<IrqInfo> readInterrupts(int count) {
    if (count < 0 || count > 1 << 16) {
      throw file.answers()
          .senseless(Integer.toUnsignedString(count) + " interrupt indexes")
          .failure(Vfio.VFIO_DEVICE_GET_INFO.name(), file.name(), null);
    }
    var all = new ArrayList<IrqInfo>();
    try (var arena = Arena.ofConfined()) {
      for (int index = 0; index < count; index++) {
        var info = VfioIrqInfo.STRUCT.allocate(arena);
        VfioIrqInfo.INDEX.set(info, index);
        int result = file.ioctl(Vfio.VFIO_DEVICE_GET_IRQ_INFO, info);
        if (result == Errno.EINVAL.result()) {
          all.add(
              new IrqInfo(index, 0, false, false, false)); // such as error interrupts of plain PCI
          continue;
        }
        if (result < 0) {
          throw failure(
              Vfio.VFIO_DEVICE_GET_IRQ_INFO.name(),
              file.name() + ", interrupt index " + index,
              Errno.ofResult(result));
        }
        int flags = VfioIrqInfo.FLAGS.get(info);
        all.add(
            new IrqInfo(
                index,
                VfioIrqInfo.COUNT.get(info),
                (flags & Vfio.VFIO_IRQ_INFO_MASKABLE) != 0,
                (flags & Vfio.VFIO_IRQ_INFO_AUTOMASKED) != 0,
                (flags & Vfio.VFIO_IRQ_INFO_NORESIZE) == 0));
      }
    }
    return List.copyOf(all);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public DmaSpace dmaSpace() {
    return space;
  }

  @Override
  public List<Region> regions() {
    return regions;
  }

  @Override
  public Interrupts interrupts() {
    return interrupts;
  }

  @Override
  public PciConfigSpace config() {
    return config;
  }

  @Override
  public Optional<EehEndpoint> eeh() {
    return eeh;
  }

  @Override
  public void enableBusMaster() {
    config.write16(
        PciRegs.PCI_COMMAND,
        config.read16(PciRegs.PCI_COMMAND)
            | PciRegs.PCI_COMMAND_MEMORY
            | PciRegs.PCI_COMMAND_MASTER);
  }

  @Override
  public void disableBusMaster() {
    config.write16(
        PciRegs.PCI_COMMAND, config.read16(PciRegs.PCI_COMMAND) & ~PciRegs.PCI_COMMAND_MASTER);
  }

  @Override
  public boolean canReset() {
    return resettable;
  }

  @Override
  public void reset() {
    if (!resettable) {
      throw new VfioException(
          Vfio.VFIO_DEVICE_RESET.name(),
          file.name(),
          null,
          "The device has no way to reset this function alone.",
          "hotResetScope() tells whom a reset of its whole bus would reach, and whether it can be"
              + " done.");
    }
    int result = callReset("function");
    if (result == Errno.EAGAIN.result()) {
      throw new VfioException(
          Vfio.VFIO_DEVICE_RESET.name(),
          file.name(),
          Errno.EAGAIN,
          "Somebody else holds the locks of the device: another reset, sysfs, or a driver being"
              + " bound.",
          "Try again; nothing was changed.");
    }
    messages.commandLost();
    if (result < 0) {
      throw failure(Vfio.VFIO_DEVICE_RESET.name(), file.name(), Errno.ofResult(result));
    }
  }

  private int callReset(String kind) {
    var event = Jfr.isInUse() ? DeviceResetEvent.started() : null;
    int result = file.ioctl(Vfio.VFIO_DEVICE_RESET, 0);
    if (event != null) {
      event.ended(name, kind, result);
    }
    return result;
  }

  @Override
  public HotResetScope hotResetScope() {
    return owner.hotReset(file).scope();
  }

  @Override
  public void hotReset() {
    owner.hotReset(file).perform();
  }

  @Override
  public DeviceFeatures features() {
    return new DeviceFeatures(owner.facts(), file, this::adopt);
  }

  /** See {@link DeviceOwner#mapsMemory}. */
  boolean mapsMemory() {
    return owner.mapsMemory();
  }

  /** See {@link DeviceOwner#writeEach}. */
  long writeEach(long offset, MemorySegment source, int width) {
    file.fd(); // which there is none of once it is closed
    return owner.writeEach(offset, source, width);
  }

  /** Keeps registers of this device, to be closed with it. */
  <T extends AutoCloseable> T adopt(T opened) {
    synchronized (registers) {
      registers.add(opened);
    }
    return opened;
  }

  /**
   * What is pulled out does nothing any more, and no reset of it would succeed. Somebody who is
   * taking the device away, such as by unbinding it, is not waited for.
   */
  private void resetForClose() {
    if (!DeviceHealth.answers(config)) {
      return;
    }
    int result = callReset("close");
    if (result < 0 && result != Errno.EAGAIN.result()) {
      throw failure(Vfio.VFIO_DEVICE_RESET.name(), file.name(), Errno.ofResult(result));
    }
  }

  /** Stops DMA and interrupts: the first step of closing. */
  void quiesce() {
    closed.set(true);
    try (var steps = new Cleanup()) {
      steps.add(interrupts::close);
      if (!owner.isReachable()) {
        return;
      }
      if (resettable) {
        steps.add(this::resetForClose);
      }
      steps.add(this::disableBusMaster);
    }
  }

  /** Why it does not answer. */
  DeviceHealth health() {
    return health;
  }

  /** Unmaps the registers and closes the descriptor: the last step of closing. */
  void release() {
    List<AutoCloseable> open;
    synchronized (registers) {
      open = List.copyOf(registers);
      registers.clear();
    }
    try (var steps = new Cleanup()) {
      steps.add(file::close);
      for (var one : open) {
        steps.add(() -> closeRegisters(one));
      }
    }
  }

  private static void closeRegisters(AutoCloseable one) {
    try {
      one.close();
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("registers are closed without checked exceptions", e);
    }
  }

  @Override
  public boolean isClosed() {
    return closed.get();
  }

  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    if (alone) {
      // Memory is unmapped before the descriptor is closed: when the device is being unbound, the
      // kernel takes the IOMMU away with it.
      owner.close();
      return;
    }
    if (owner.forget(this)) {
      try (var steps = new Cleanup()) {
        steps.add(this::release);
        steps.add(this::quiesce);
      }
    }
  }

  @Override
  public String toString() {
    return "VFIO device " + name;
  }
}
