// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_MSIX;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_PM;
import static io.jvfio.linux.uapi.PciRegs.PCI_CFG_SPACE_SIZE;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_INTX_DISABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_IO;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MASTER;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MEMORY;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_SERR;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS_ENABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS_MASKALL;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS_QSIZE;
import static io.jvfio.linux.uapi.PciRegs.PCI_PM_CTRL;
import static io.jvfio.linux.uapi.PciRegs.PCI_PM_CTRL_STATE_MASK;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS;
import static io.jvfio.linux.uapi.PciRegs.PCI_STATUS_CAP_LIST;
import static io.jvfio.linux.uapi.PciRegs.PCI_STD_HEADER_SIZEOF;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.sim.setup.HostDescription;
import java.util.HexFormat;
import java.util.List;

/**
 * A device of which only configuration space and the sizes of BARs are known: its registers read as
 * zeros, and nothing comes of writing them.
 */
final class RecordedModel implements DeviceModel {
  private static final int COMMANDS =
      PCI_COMMAND_IO
          | PCI_COMMAND_MEMORY
          | PCI_COMMAND_MASTER
          | PCI_COMMAND_SERR
          | PCI_COMMAND_INTX_DISABLE;

  private final ConfigSpace config;
  private final List<Bar> bars;

  RecordedModel(String config, List<HostDescription.BarPlace> places) {
    this.config = space(config);
    this.bars = places.stream().map(RecordedModel::bar).toList();
    this.config.allowWrites(PCI_COMMAND, 2, COMMANDS);
    int power = PciConfig.capability(this.config, PCI_CAP_ID_PM);
    if (power != 0) {
      this.config.allowWrites(power + PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK);
    }
    int msix = PciConfig.capability(this.config, PCI_CAP_ID_MSIX);
    if (msix != 0) {
      this.config.allowWrites(
          msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    }
  }

  private static Bar bar(HostDescription.BarPlace place) {
    return new Bar(
        place.bar(), place.byteSize(), place.isWide(), place.isPrefetchable(), place.hasPorts());
  }

  /** Configuration space of these hexadecimal digits, zeros where they end. */
  static ConfigSpace space(String digits) {
    var bytes = HexFormat.of().parseHex(digits);
    var config = new ConfigSpace(Math.max(bytes.length, PCI_CFG_SPACE_SIZE));
    for (int i = 0; i < bytes.length; i++) {
      config.set(i, 1, bytes[i]);
    }
    if (bytes.length <= PCI_STD_HEADER_SIZEOF) { // the header alone: nobody saw capabilities
      config.set(PCI_STATUS, 2, config.read(PCI_STATUS, 2) & ~PCI_STATUS_CAP_LIST);
    }
    return config;
  }

  @Override
  public ConfigSpace config() {
    return config;
  }

  @Override
  public List<Bar> bars() {
    return bars;
  }

  @Override
  public int msixVectors() {
    int msix = PciConfig.capability(config, PCI_CAP_ID_MSIX);
    return msix == 0 ? 0 : (config.read(msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1;
  }

  @Override
  public void connect(DmaPort dma, InterruptPort interrupts) {}

  @Override
  public long read(int bar, long offset, int width) {
    return 0;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {}

  @Override
  public void reset() {}

  @Override
  public void close() {}
}
