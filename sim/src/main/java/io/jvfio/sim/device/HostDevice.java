// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.PciRegs.PCI_CFG_SPACE_SIZE;
import static io.jvfio.linux.uapi.PciRegs.PCI_CLASS_PROG;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MASTER;
import static io.jvfio.linux.uapi.PciRegs.PCI_DEVICE_ID;
import static io.jvfio.linux.uapi.PciRegs.PCI_REVISION_ID;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS_INTERRUPT;
import static io.jvfio.linux.uapi.PciRegs.PCI_SUBSYSTEM_ID;
import static io.jvfio.linux.uapi.PciRegs.PCI_SUBSYSTEM_VENDOR_ID;
import static io.jvfio.linux.uapi.PciRegs.PCI_VENDOR_ID;
import static java.util.Objects.requireNonNull;

import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.model.nvme.NvmeModel;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.iommu.DmaBlocked;
import io.jvfio.sim.iommu.DmaTranslation;
import io.jvfio.sim.iommu.Endpoint;
import io.jvfio.sim.iommu.IommufdDevice;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.RecordedFacts;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** A PCI function of the host: its hardware, its driver, and its way to memory. */
public final class HostDevice implements DmaPort, InterruptPort {
  /** Drivers that leave DMA to the user, or do none. */
  private static final Set<String> DRIVERS_WITHOUT_DMA = Set.of("pci-stub", "pcieport");

  private static final long NAMESPACE_BYTES = 256 << 20;

  /** What all devices of QEMU's own have in common. */
  private static final int SUBSYSTEM_VENDOR = 0x1af4;

  private static final int SUBSYSTEM_DEVICE = 0x1100;

  private final HostDevices host;
  private final HostProcess process;
  private final HostDescription.Function description;
  private final @Nullable DeviceModel given;
  private final @Nullable String chosenDriver;
  private final int number;
  private final VfToken token = new VfToken();
  private final AtomicBoolean pollRequested = new AtomicBoolean();
  private @Nullable Hardware hardware;
  private @Nullable VfioGroup group;
  private @Nullable HostDevice physicalFunction;
  private @Nullable String driver;
  private @Nullable IommufdDevice bound;
  private boolean gone;
  private boolean releasing;

  /** It was stopped when it asked to be polled. */
  private boolean owesPoll;

  /** Nodes and files that its driver waits for before it lets the device go. */
  private int holders;

  /** The open device, its files, and what undoes how its user came to it; null while closed. */
  private @Nullable VfioPci open;

  private int files;
  private @Nullable Runnable endOfUse;

  /** The part of it behind the bus. */
  private record Hardware(@Nullable DeviceModel model, ConfigSpace config) {}

  /** The ids that the kernel has read from it when it found it. */
  public record Identity(
      int vendor,
      int device,
      int subsystemVendor,
      int subsystemDevice,
      int classCode,
      int revision,
      boolean canReset) {}

  /**
   * A function of the host.
   *
   * @param given the model that takes the place of the described one, or null
   * @param number its place among the devices of VFIO's
   */
  HostDevice(
      HostDevices host,
      HostDescription.Function description,
      @Nullable String driver,
      @Nullable DeviceModel given,
      int number) {
    this.host = host;
    this.process = host.process();
    this.description = description;
    this.driver = driver;
    this.given = given;
    this.number = number;
    this.chosenDriver = isVfio(driver) ? driver : null;
  }

  /** Made at the first access: whoever only lists devices needs no controller. */
  private Hardware hardware() {
    var existing = hardware;
    if (existing != null) {
      return existing;
    }
    var model = given;
    var serial = description.serial();
    if (model == null && serial != null) {
      model = NvmeModel.inMemory(serial, NAMESPACE_BYTES);
    }
    if (model == null && recorded() != null) {
      model = new RecordedModel(requireNonNull(recorded()).config(), description.bars());
    }
    var config = model != null ? model.config() : header();
    PciConfig.place(config, description);
    if (isVfio()) {
      PciConfig.setPowerState(config, PciConfig.POWER_D3HOT);
    }
    if (model != null) {
      model.connectPoll(this::requestPoll);
      model.connect(this, this);
    }
    var made = new Hardware(model, config);
    hardware = made;
    return made;
  }

  private ConfigSpace header() {
    return new ConfigSpace(PCI_CFG_SPACE_SIZE)
        .set(PCI_VENDOR_ID, 2, description.vendor())
        .set(PCI_DEVICE_ID, 2, description.device())
        .set(PCI_REVISION_ID, 1, description.revision())
        .set(PCI_CLASS_PROG, 3, description.classCode())
        .set(PCI_SUBSYSTEM_VENDOR_ID, 2, SUBSYSTEM_VENDOR)
        .set(PCI_SUBSYSTEM_ID, 2, SUBSYSTEM_DEVICE);
  }

  private RecordedFacts.@Nullable Device recorded() {
    return process.description().recordedDevice(description.address());
  }

  public Identity identity() {
    var recorded = recorded();
    var config =
        given != null
            ? given.config()
            : recorded != null ? RecordedModel.space(recorded.config()) : header();
    return new Identity(
        config.read(PCI_VENDOR_ID, 2),
        config.read(PCI_DEVICE_ID, 2),
        config.read(PCI_SUBSYSTEM_VENDOR_ID, 2),
        config.read(PCI_SUBSYSTEM_ID, 2),
        config.read(PCI_CLASS_PROG, 3),
        config.read(PCI_REVISION_ID, 1),
        given != null
            ? PciConfig.canReset(config)
            : recorded != null ? recorded.canReset() : description.serial() != null);
  }

  public String address() {
    return description.address();
  }

  public HostDescription.Function description() {
    return description;
  }

  HostDevices host() {
    return host;
  }

  public HostProcess process() {
    return process;
  }

  /** Its place among the devices of VFIO's, by which its own node is called. */
  public int number() {
    return number;
  }

  public @Nullable VfioGroup group() {
    return group;
  }

  void join(VfioGroup joined) {
    joined.add(this);
    group = joined;
  }

  void leaveGroup() {
    requireNonNull(group).remove(this);
    group = null;
  }

  @Nullable DeviceModel model() {
    return hardware().model();
  }

  public ConfigSpace config() {
    return hardware().config();
  }

  /**
   * Whether a register access does not reach it: it is pulled, it decodes no memory (or no ports)
   * since a reset that its user does not know of, or its endpoint is stopped.
   *
   * @param decoded what the access needs of the command register
   */
  boolean isStopped(int decoded, boolean write) {
    if (gone || (config().read(PCI_COMMAND, 2) & decoded) == 0) {
      return true;
    }
    var endpoint = endpoint();
    return endpoint != null && endpoint.stopsRegister(write);
  }

  /** The endpoint as which Enhanced Error Handling knows it, or null. */
  @Nullable Endpoint endpoint() {
    return group == null ? null : group.endpoint();
  }

  /** The model has something to do, which no system call of the process waits for. */
  private void requestPoll() {
    if (pollRequested.compareAndSet(false, true)) {
      Thread.ofVirtual().name("device " + address()).start(this::poll);
    }
  }

  /** Polls the model for as long as it asks for it; one that is stopped when it goes on. */
  private void poll() {
    boolean again = true;
    while (again) {
      synchronized (process) {
        pollRequested.set(false);
        var model = hardware == null ? null : hardware.model();
        if (model == null || gone || process.isClosed()) {
          return;
        }
        if (isHalted()) {
          owesPoll = true;
          return;
        }
        again = model.poll();
      }
    }
  }

  /** A migration may have let the device go on. */
  void resume() {
    if (owesPoll && !isHalted()) {
      owesPoll = false;
      requestPoll();
    }
  }

  private boolean isHalted() {
    return open != null && open.isHalted();
  }

  /** Ends the device for good. */
  void close() {
    var model = hardware == null ? given : hardware.model();
    if (model != null) {
      model.close();
    }
  }

  /** The driver that has it, or null. */
  public @Nullable String driver() {
    return driver;
  }

  /** The driver that an administrator has chosen for it: this outlives being bound. */
  public Optional<String> driverOverride() {
    return Optional.ofNullable(chosenDriver);
  }

  /** It is pulled: nothing answers on the bus, though its user may have it open. */
  void pull() {
    gone = true;
  }

  public boolean isGone() {
    return gone;
  }

  /** The kernel takes it from its driver, which waits for the user to close it. */
  void beginRelease() {
    releasing = true;
  }

  public boolean isReleasing() {
    return releasing;
  }

  /** Its driver has let it go. */
  void endRelease() {
    releasing = false;
    driver = null;
  }

  /** Keeps its driver from letting it go. */
  void hold() {
    holders++;
  }

  /** Undoes one {@link #hold}. */
  void unhold() {
    holders--;
  }

  boolean isHeld() {
    return holders > 0;
  }

  /** It becomes a virtual function of another device. */
  void becomeVirtualFunctionOf(HostDevice physical) {
    physicalFunction = physical;
    token.belongTo(physical.token);
  }

  /** The physical function that it is a virtual one of, or null. */
  public @Nullable HostDevice physicalFunction() {
    return physicalFunction;
  }

  VfToken token() {
    return token;
  }

  /** It belongs to an iommufd until {@link #unbind}. */
  void bind(IommufdDevice device) {
    bound = device;
  }

  /** Takes it from the iommufd that it is bound to, if it is. */
  private void unbind() {
    if (bound != null) {
      bound.unbind();
      bound = null;
    }
  }

  /** The object that it is to the iommufd that it is bound to; null while it is bound to none. */
  @Nullable IommufdDevice bound() {
    return bound;
  }

  /** The open device, or null. */
  public @Nullable VfioPci open() {
    return open;
  }

  /** Adds a file; with the first one the device is opened, and {@code user} put to use. */
  VfioPci addFile(DeviceUser user) {
    var pci = open;
    if (pci == null) {
      endOfUse = user.use();
      pci = new VfioPci(this);
      open = pci;
      token.open();
    }
    files++;
    hold();
    return pci;
  }

  /** Removes a file; with the last one the device is closed, and its user's use ends. */
  void removeFile() {
    if (--files == 0) {
      requireNonNull(open).close();
      open = null;
      token.close();
      unbind();
      requireNonNull(endOfUse).run();
    }
    unhold();
  }

  /** Whether a driver of VFIO has it, and lets it be opened. */
  public boolean isOffered() {
    return isVfio() && !releasing;
  }

  /** Whether a driver of VFIO has it. */
  boolean isVfio() {
    return isVfio(driver);
  }

  /** Whether a driver is one of VFIO's: the plain one or a vendor's variant of it. */
  static boolean isVfio(@Nullable String driver) {
    return driver != null && driver.endsWith("vfio-pci");
  }

  /** Whether a driver has it that does DMA itself. */
  boolean hasHostDriver() {
    return driver != null && !isVfio() && !DRIVERS_WITHOUT_DMA.contains(driver);
  }

  @Override
  public void signal(int vector) {
    synchronized (process) {
      var endpoint = endpoint();
      boolean stopped = endpoint != null && endpoint.stopsDma(true);
      if (open != null && isBusMaster() && !stopped && !gone) {
        open.interrupts().message(vector);
      }
    }
  }

  @Override
  public void line(boolean asserted) {
    synchronized (process) {
      if (gone) {
        return;
      }
      int status = config().read(PCI_STATUS, 2) & ~PCI_STATUS_INTERRUPT;
      config().set(PCI_STATUS, 2, asserted ? status | PCI_STATUS_INTERRUPT : status);
      if (open != null) {
        open.interrupts().lineChanged();
      }
    }
  }

  boolean isLineAsserted() {
    return (config().read(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT) != 0;
  }

  private boolean isBusMaster() {
    return (config().read(PCI_COMMAND, 2) & PCI_COMMAND_MASTER) != 0;
  }

  /** Tells its user that the host wants it back, as the kernel does before it is unbound. */
  void requestRelease() {
    if (open != null) {
      open.interrupts().signal(PciInterrupts.REQUEST);
    }
  }

  /** Tells its user that it had an error that it cannot go on after. */
  public void reportError() {
    if (open != null) {
      open.interrupts().signal(PciInterrupts.ERROR);
    }
  }

  @Override
  public void read(long iova, MemorySegment target) throws DmaFaultException {
    transfer(iova, target, 0, target.byteSize(), false);
  }

  @Override
  public void read(long iova, MemorySegment target, long offset, long length)
      throws DmaFaultException {
    transfer(iova, target, offset, length, false);
  }

  @Override
  public void write(long iova, MemorySegment source) throws DmaFaultException {
    transfer(iova, source, 0, source.byteSize(), true);
  }

  @Override
  public void write(long iova, MemorySegment source, long offset, long length)
      throws DmaFaultException {
    transfer(iova, source, offset, length, true);
  }

  private void transfer(long iova, MemorySegment data, long offset, long size, boolean write)
      throws DmaFaultException {
    synchronized (process) {
      if (gone) {
        throw new DmaFaultException(iova, "the device is no longer in its slot");
      }
      try {
        var translation = translation(iova, write);
        for (long done = 0; done < size; ) {
          var piece = translation.reach(iova + done, size - done, write);
          if (write) {
            MemorySegment.copy(data, offset + done, piece, 0, piece.byteSize());
            if (open != null) {
              open.wrote(iova + done, piece.byteSize());
            }
          } else {
            MemorySegment.copy(piece, 0, data, offset + done, piece.byteSize());
          }
          done += piece.byteSize();
        }
      } catch (DmaBlocked e) {
        host.observer().blocked(address(), e.iova(), write, e.reason());
        throw new DmaFaultException(e.iova(), e.reason());
      }
    }
  }

  private DmaTranslation translation(long iova, boolean write) throws DmaBlocked {
    if (!isBusMaster()) {
      throw new DmaBlocked(iova, "bus mastering is off");
    }
    if (!PciConfig.isPowered(config())) {
      throw new DmaBlocked(iova, "the device is asleep (D3hot)");
    }
    var endpoint = endpoint();
    if (endpoint != null && endpoint.stopsDma(write)) {
      throw new DmaBlocked(iova, "the device's endpoint is stopped");
    }
    if (isHalted()) {
      throw new DmaBlocked(iova, "the device is stopped for migration");
    }
    if (bound != null) {
      return bound;
    }
    var container = group == null ? null : group.container();
    var translation = container == null ? null : container.iommu();
    if (translation == null && group != null && group.isNoIommu() && open != null) {
      return host.iommu().physicalMemory();
    }
    if (translation == null) {
      throw new DmaBlocked(iova, "no container with an IOMMU has the device's group");
    }
    return translation;
  }
}
