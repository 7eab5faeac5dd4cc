// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.uapi.PciRegs;
import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A device's configuration space as a client sees it: BARs that tell their size, and writes that do
 * something. What else can be written is the model's affair. Source: PCI Local Bus Specification
 * 3.0, chapter 6; PCI Express Base Specification, chapter 7; Advanced Features capability ECN.
 */
final class ServedConfig {
  private static final int BARS_END =
      PciRegs.PCI_BASE_ADDRESS_0 + Integer.BYTES * PciRegs.PCI_STD_NUM_BARS;
  private static final int MOST_CAPABILITIES = 48;

  private static final int D3HOT = 3;

  private final ConfigSpace space;
  private final int[] bars = new int[PciRegs.PCI_STD_NUM_BARS];
  private final int[] barMasks = new int[PciRegs.PCI_STD_NUM_BARS];
  private final int[] barFlags = new int[PciRegs.PCI_STD_NUM_BARS];
  private final int msix;
  private final int expressReset;
  private final int advancedReset;
  private final int power;

  /** What configuration space was when the device came. */
  private final byte[] initial;

  private int lineSetting;

  /** What of the command register counts; any thread of the device reads these. */
  private volatile int command;

  private volatile boolean isAwake = true;

  ServedConfig(DeviceModel model) {
    space = model.config();
    for (var bar : model.bars()) {
      place(bar);
    }
    initial = new byte[space.byteSize()];
    for (int i = 0; i < initial.length; i++) {
      initial[i] = (byte) space.read(i, 1);
    }
    power = capability(PciRegs.PCI_CAP_ID_PM);
    msix = capability(PciRegs.PCI_CAP_ID_MSIX);
    int express = capability(PciRegs.PCI_CAP_ID_EXP);
    expressReset =
        express != 0
                && (space.read(express + PciRegs.PCI_EXP_DEVCAP, 4) & PciRegs.PCI_EXP_DEVCAP_FLR)
                    != 0
            ? express + PciRegs.PCI_EXP_DEVCTL + 1
            : 0;
    int advanced = capability(PciRegs.PCI_CAP_ID_AF);
    advancedReset =
        advanced != 0
                && (space.read(advanced + PciRegs.PCI_AF_CAP, 1) & PciRegs.PCI_AF_CAP_FLR) != 0
            ? advanced + PciRegs.PCI_AF_CTRL
            : 0;
  }

  private void place(Bar bar) {
    int index = bar.index();
    if (bar.hasPorts()) {
      barMasks[index] = (int) -bar.byteSize() & PciRegs.PCI_BASE_ADDRESS_IO_MASK;
      barFlags[index] = PciRegs.PCI_BASE_ADDRESS_SPACE_IO;
    } else {
      barMasks[index] = (int) -bar.byteSize() & PciRegs.PCI_BASE_ADDRESS_MEM_MASK;
      barFlags[index] =
          (bar.is64Bit() ? PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_64 : 0)
              | (bar.prefetchable() ? PciRegs.PCI_BASE_ADDRESS_MEM_PREFETCH : 0);
    }
    if (bar.is64Bit()) {
      barMasks[index + 1] = (int) (-bar.byteSize() >>> 32);
    }
  }

  private int capability(int id) {
    if ((space.read(PciRegs.PCI_STATUS, 2) & PciRegs.PCI_STATUS_CAP_LIST) == 0) {
      return 0;
    }
    int at = space.read(PciRegs.PCI_CAPABILITY_LIST, 1) & ~3;
    for (int hops = 0; at >= PciRegs.PCI_STD_HEADER_SIZEOF && hops < MOST_CAPABILITIES; hops++) {
      if (space.read(at, 1) == id) {
        return at;
      }
      at = space.read(at + PciRegs.PCI_CAP_LIST_NEXT, 1) & ~3;
    }
    return 0;
  }

  int byteSize() {
    return space.byteSize();
  }

  boolean hasLine() {
    return space.read(PciRegs.PCI_INTERRUPT_PIN, 1) != 0;
  }

  /** How many messages MSI has; 0 without MSI. */
  int msiMessages() {
    int msi = capability(PciRegs.PCI_CAP_ID_MSI);
    return msi == 0
        ? 0
        : 1 << ((space.read(msi + PciRegs.PCI_MSI_FLAGS, 2) & PciRegs.PCI_MSI_FLAGS_QMASK) >> 1);
  }

  boolean isExpress() {
    return capability(PciRegs.PCI_CAP_ID_EXP) != 0;
  }

  /** Whether the device may reach memory and send messages. */
  boolean isBusMaster() {
    return (command & PciRegs.PCI_COMMAND_MASTER) != 0 && isAwake;
  }

  /** Whether the client has turned the interrupt line off. */
  boolean isLineOff() {
    return (command & PciRegs.PCI_COMMAND_INTX_DISABLE) != 0;
  }

  /** As after power-on. */
  void restart() {
    for (int i = 0; i < initial.length; i++) {
      space.set(i, 1, initial[i]);
    }
    space.set(PciRegs.PCI_COMMAND, 2, 0);
    for (int i = 0; i < bars.length; i++) {
      bars[i] = 0;
    }
    command = 0;
    lineSetting = 0;
    msixEnabled(false);
    wakeUp();
  }

  /** Configuration space was changed from behind. */
  void reload() {
    command = space.read(PciRegs.PCI_COMMAND, 2);
    isAwake =
        power == 0
            || (space.read(power + PciRegs.PCI_PM_CTRL, 1) & PciRegs.PCI_PM_CTRL_STATE_MASK)
                != D3HOT;
  }

  /** A reset brings a device to full power. */
  void wakeUp() {
    if (power != 0) {
      space.set(
          power + PciRegs.PCI_PM_CTRL,
          1,
          space.read(power + PciRegs.PCI_PM_CTRL, 1) & ~PciRegs.PCI_PM_CTRL_STATE_MASK);
    }
    isAwake = true;
  }

  void stopDma() {
    command &= ~PciRegs.PCI_COMMAND_MASTER;
    space.set(
        PciRegs.PCI_COMMAND, 2, space.read(PciRegs.PCI_COMMAND, 2) & ~PciRegs.PCI_COMMAND_MASTER);
  }

  /** What vfio-pci's kernel does in hardware when vectors are brought into use. */
  void msixEnabled(boolean on) {
    if (msix != 0) {
      int control = space.read(msix + PciRegs.PCI_MSIX_FLAGS, 2);
      space.set(
          msix + PciRegs.PCI_MSIX_FLAGS,
          2,
          on ? control | PciRegs.PCI_MSIX_FLAGS_ENABLE : control & ~PciRegs.PCI_MSIX_FLAGS_ENABLE);
    }
  }

  /** The interrupt line is up or down. */
  void lineStatus(boolean asserted) {
    int status = space.read(PciRegs.PCI_STATUS, 2);
    space.set(
        PciRegs.PCI_STATUS,
        2,
        asserted ? status | PciRegs.PCI_STATUS_INTERRUPT : status & ~PciRegs.PCI_STATUS_INTERRUPT);
  }

  void read(int offset, int count, MemorySegment target, long targetOffset) {
    for (int i = 0; i < count; i++) {
      target.set(ValueLayout.JAVA_BYTE, targetOffset + i, (byte) readByte(offset + i));
    }
  }

  private int readByte(int offset) {
    if (offset >= PciRegs.PCI_BASE_ADDRESS_0 && offset < BARS_END) {
      int bar = (offset - PciRegs.PCI_BASE_ADDRESS_0) / 4;
      return ((bars[bar] | barFlags[bar]) >>> (8 * (offset & 3))) & 0xff;
    }
    return switch (offset) {
      case PciRegs.PCI_ROM_ADDRESS,
          PciRegs.PCI_ROM_ADDRESS + 1,
          PciRegs.PCI_ROM_ADDRESS + 2,
          PciRegs.PCI_ROM_ADDRESS + 3 ->
          0;
      case PciRegs.PCI_COMMAND + 1 ->
          space.read(offset, 1) | ((command & PciRegs.PCI_COMMAND_INTX_DISABLE) >> 8);
      case PciRegs.PCI_INTERRUPT_LINE -> lineSetting;
      default -> space.read(offset, 1);
    };
  }

  /** Writes bytes; whether the client asks for a reset of the function thereby. */
  boolean write(int offset, int count, MemorySegment source, long sourceOffset) {
    boolean reset = false;
    for (int i = 0; i < count; i++) {
      int value = Byte.toUnsignedInt(source.get(ValueLayout.JAVA_BYTE, sourceOffset + i));
      reset |= writeByte(offset + i, value);
    }
    return reset;
  }

  private boolean writeByte(int offset, int value) {
    if (offset >= PciRegs.PCI_BASE_ADDRESS_0 && offset < BARS_END) {
      int bar = (offset - PciRegs.PCI_BASE_ADDRESS_0) / 4;
      int shift = 8 * (offset & 3);
      bars[bar] = ((bars[bar] & ~(0xff << shift)) | (value << shift)) & barMasks[bar];
      return false;
    }
    if (offset == PciRegs.PCI_COMMAND) {
      int kept = PciRegs.PCI_COMMAND_IO | PciRegs.PCI_COMMAND_MEMORY | PciRegs.PCI_COMMAND_MASTER;
      command = (command & ~kept) | (value & kept);
      space.write(offset, 1, value);
      space.set(offset, 1, (space.read(offset, 1) & ~kept) | (value & kept));
    } else if (offset == PciRegs.PCI_COMMAND + 1) {
      command =
          (command & ~PciRegs.PCI_COMMAND_INTX_DISABLE)
              | ((value << 8) & PciRegs.PCI_COMMAND_INTX_DISABLE);
      space.write(offset, 1, value & ~(PciRegs.PCI_COMMAND_INTX_DISABLE >> 8));
    } else if (offset == PciRegs.PCI_INTERRUPT_LINE) {
      lineSetting = value;
    } else if (offset == PciRegs.PCI_ROM_ADDRESS
        || (msix != 0 && offset == msix + PciRegs.PCI_MSIX_FLAGS)) {
      return false; // there is no ROM; the size of the MSI-X table cannot be changed
    } else if (msix != 0 && offset == msix + PciRegs.PCI_MSIX_FLAGS + 1) {
      int writable = (PciRegs.PCI_MSIX_FLAGS_ENABLE | PciRegs.PCI_MSIX_FLAGS_MASKALL) >> 8;
      space.set(offset, 1, (space.read(offset, 1) & ~writable) | (value & writable));
    } else if (expressReset != 0 && offset == expressReset) {
      space.write(offset, 1, value & ~(PciRegs.PCI_EXP_DEVCTL_BCR_FLR >> 8)); // it reads as 0
      return (value & PciRegs.PCI_EXP_DEVCTL_BCR_FLR >> 8) != 0;
    } else if (advancedReset != 0 && offset == advancedReset) {
      return (value & PciRegs.PCI_AF_CTRL_FLR) != 0;
    } else {
      space.write(offset, 1, value);
      if (power != 0 && offset == power + PciRegs.PCI_PM_CTRL) {
        isAwake = (space.read(offset, 1) & PciRegs.PCI_PM_CTRL_STATE_MASK) != D3HOT;
      }
    }
    return false;
  }
}
