package io.jvfio.sim;

import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import java.lang.foreign.MemorySegment;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A PCI function of the host: its hardware, its driver, and its way to memory. */
final class HostDevice implements DmaPort {
  /** Drivers that leave DMA to the user, or do none. */
  private static final Set<String> DRIVERS_WITHOUT_DMA = Set.of("vfio-pci", "pci-stub", "pcieport");

  private final Host host;
  private final HostDescription.Function description;
  private final @Nullable DeviceModel model;
  private final ConfigSpace config;

  @Nullable VfioGroup group;
  @Nullable String driver;

  /** Open while this has a value. */
  @Nullable VfioPci open;

  HostDevice(Host host, HostDescription.Function description, @Nullable DeviceModel model) {
    this.host = host;
    this.description = description;
    this.model = model;
    this.driver = description.driver();
    this.config = model != null ? model.config() : header(description);
    PciConfig.place(config, description);
    if (model != null) {
      model.connect(this);
    }
  }

  private static ConfigSpace header(HostDescription.Function function) {
    return new ConfigSpace(256)
        .set(PciConfig.VENDOR, 2, function.vendor())
        .set(PciConfig.DEVICE, 2, function.device())
        .set(PciConfig.REVISION, 1, function.revision())
        .set(PciConfig.CLASS, 3, function.classCode());
  }

  String address() {
    return description.address();
  }

  HostDescription.Function description() {
    return description;
  }

  @Nullable DeviceModel model() {
    return model;
  }

  ConfigSpace config() {
    return config;
  }

  /** Whether a driver of VFIO has it. */
  boolean isVfio() {
    return "vfio-pci".equals(driver);
  }

  /** Whether a driver has it that does DMA itself. */
  boolean hasHostDriver() {
    return driver != null && !DRIVERS_WITHOUT_DMA.contains(driver);
  }

  @Override
  public void read(long iova, MemorySegment target) throws DmaFaultException {
    transfer(iova, target, false);
  }

  @Override
  public void write(long iova, MemorySegment source) throws DmaFaultException {
    transfer(iova, source, true);
  }

  private void transfer(long iova, MemorySegment data, boolean write) throws DmaFaultException {
    synchronized (host) {
      try {
        var translation = translation(iova);
        long size = data.byteSize();
        for (long done = 0; done < size; ) {
          var piece = translation.reach(this, iova + done, size - done, write);
          if (write) {
            MemorySegment.copy(data, done, piece, 0, piece.byteSize());
          } else {
            MemorySegment.copy(piece, 0, data, done, piece.byteSize());
          }
          done += piece.byteSize();
        }
      } catch (DmaBlocked e) {
        host.record(new IommuFault(address(), e.iova(), write, e.reason()));
        throw new DmaFaultException(e.iova(), e.reason());
      }
    }
  }

  private DmaTranslation translation(long iova) throws DmaBlocked {
    if ((config.read(PciConfig.COMMAND, 2) & PciConfig.COMMAND_MASTER) == 0) {
      throw new DmaBlocked(iova, "bus mastering is off");
    }
    var translation = group == null ? null : GroupFile.translation(group);
    if (translation == null) {
      throw new DmaBlocked(iova, "no container with an IOMMU has the device's group");
    }
    return translation;
  }
}
