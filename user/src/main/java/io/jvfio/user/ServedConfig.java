package io.jvfio.user;

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
  private static final int COMMAND = 0x04;
  private static final int COMMAND_DECODES = 0x3;
  private static final int COMMAND_BUS_MASTER = 0x4;
  private static final int COMMAND_LINE_OFF = 0x400;
  private static final int STATUS = 0x06;
  private static final int STATUS_LINE = 1 << 3;
  private static final int STATUS_CAPABILITIES = 1 << 4;
  private static final int BAR0 = 0x10;
  private static final int BARS_END = 0x28;
  private static final int ROM = 0x30;
  private static final int CAPABILITIES = 0x34;
  private static final int INTERRUPT_LINE = 0x3c;
  private static final int INTERRUPT_PIN = 0x3d;
  private static final int HEADER_END = 0x40;
  private static final int MOST_CAPABILITIES = 48;

  private static final int POWER = 0x01;
  private static final int POWER_STATE = 3;
  private static final int D3HOT = 3;
  private static final int MSI = 0x05;
  private static final int EXPRESS = 0x10;
  private static final int MSIX = 0x11;
  private static final int ADVANCED_FEATURES = 0x13;
  private static final int MSIX_ENABLE = 1 << 15;

  private final ConfigSpace space;
  private final int[] bars = new int[6];
  private final int[] barMasks = new int[6];
  private final int[] barFlags = new int[6];
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
    power = capability(POWER);
    msix = capability(MSIX);
    int express = capability(EXPRESS);
    expressReset =
        express != 0 && (space.read(express + 4, 4) & (1 << 28)) != 0 ? express + 8 + 1 : 0;
    int advanced = capability(ADVANCED_FEATURES);
    advancedReset = advanced != 0 && (space.read(advanced + 3, 1) & 2) != 0 ? advanced + 4 : 0;
  }

  private void place(Bar bar) {
    int index = bar.index();
    if (bar.hasPorts()) {
      barMasks[index] = (int) -bar.byteSize() & ~3;
      barFlags[index] = 1;
    } else {
      barMasks[index] = (int) -bar.byteSize() & ~0xf;
      barFlags[index] = (bar.is64Bit() ? 4 : 0) | (bar.prefetchable() ? 8 : 0);
    }
    if (bar.is64Bit()) {
      barMasks[index + 1] = (int) (-bar.byteSize() >>> 32);
    }
  }

  private int capability(int id) {
    if ((space.read(STATUS, 2) & STATUS_CAPABILITIES) == 0) {
      return 0;
    }
    int at = space.read(CAPABILITIES, 1) & ~3;
    for (int hops = 0; at >= HEADER_END && hops < MOST_CAPABILITIES; hops++) {
      if (space.read(at, 1) == id) {
        return at;
      }
      at = space.read(at + 1, 1) & ~3;
    }
    return 0;
  }

  int byteSize() {
    return space.byteSize();
  }

  boolean hasLine() {
    return space.read(INTERRUPT_PIN, 1) != 0;
  }

  /** How many messages MSI has; 0 without MSI. */
  int msiMessages() {
    int msi = capability(MSI);
    return msi == 0 ? 0 : 1 << ((space.read(msi + 2, 2) >> 1) & 7);
  }

  boolean isExpress() {
    return capability(EXPRESS) != 0;
  }

  /** Whether the device may reach memory and send messages. */
  boolean isBusMaster() {
    return (command & COMMAND_BUS_MASTER) != 0 && isAwake;
  }

  /** Whether the client has turned the interrupt line off. */
  boolean isLineOff() {
    return (command & COMMAND_LINE_OFF) != 0;
  }

  /** As after power-on. */
  void restart() {
    for (int i = 0; i < initial.length; i++) {
      space.set(i, 1, initial[i]);
    }
    space.set(COMMAND, 2, 0);
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
    command = space.read(COMMAND, 2);
    isAwake = power == 0 || (space.read(power + 4, 1) & POWER_STATE) != D3HOT;
  }

  /** A reset brings a device to full power. */
  void wakeUp() {
    if (power != 0) {
      space.set(power + 4, 1, space.read(power + 4, 1) & ~POWER_STATE);
    }
    isAwake = true;
  }

  void stopDma() {
    command &= ~COMMAND_BUS_MASTER;
    space.set(COMMAND, 2, space.read(COMMAND, 2) & ~COMMAND_BUS_MASTER);
  }

  /** What vfio-pci's kernel does in hardware when vectors are brought into use. */
  void msixEnabled(boolean on) {
    if (msix != 0) {
      int control = space.read(msix + 2, 2);
      space.set(msix + 2, 2, on ? control | MSIX_ENABLE : control & ~MSIX_ENABLE);
    }
  }

  /** The interrupt line is up or down. */
  void lineStatus(boolean asserted) {
    int status = space.read(STATUS, 2);
    space.set(STATUS, 2, asserted ? status | STATUS_LINE : status & ~STATUS_LINE);
  }

  void read(int offset, int count, MemorySegment target, long targetOffset) {
    for (int i = 0; i < count; i++) {
      target.set(ValueLayout.JAVA_BYTE, targetOffset + i, (byte) readByte(offset + i));
    }
  }

  private int readByte(int offset) {
    if (offset >= BAR0 && offset < BARS_END) {
      int bar = (offset - BAR0) / 4;
      return ((bars[bar] | barFlags[bar]) >>> (8 * (offset & 3))) & 0xff;
    }
    return switch (offset) {
      case ROM, ROM + 1, ROM + 2, ROM + 3 -> 0;
      case COMMAND + 1 -> space.read(offset, 1) | ((command & COMMAND_LINE_OFF) >> 8);
      case INTERRUPT_LINE -> lineSetting;
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
    if (offset >= BAR0 && offset < BARS_END) {
      int bar = (offset - BAR0) / 4;
      int shift = 8 * (offset & 3);
      bars[bar] = ((bars[bar] & ~(0xff << shift)) | (value << shift)) & barMasks[bar];
      return false;
    }
    if (offset == COMMAND) {
      int kept = COMMAND_DECODES | COMMAND_BUS_MASTER;
      command = (command & ~kept) | (value & kept);
      space.write(offset, 1, value);
      space.set(offset, 1, (space.read(offset, 1) & ~kept) | (value & kept));
    } else if (offset == COMMAND + 1) {
      command = (command & ~COMMAND_LINE_OFF) | ((value << 8) & COMMAND_LINE_OFF);
      space.write(offset, 1, value & ~(COMMAND_LINE_OFF >> 8));
    } else if (offset == INTERRUPT_LINE) {
      lineSetting = value;
    } else if (offset == ROM || (msix != 0 && offset == msix + 2)) {
      return false; // there is no ROM; the size of the MSI-X table cannot be changed
    } else if (msix != 0 && offset == msix + 3) {
      int writable = 0xc0; // enable, mask all
      space.set(offset, 1, (space.read(offset, 1) & ~writable) | (value & writable));
    } else if (expressReset != 0 && offset == expressReset) {
      space.write(offset, 1, value & 0x7f); // the reset bit reads as 0
      return (value & 0x80) != 0;
    } else if (advancedReset != 0 && offset == advancedReset) {
      return (value & 1) != 0;
    } else {
      space.write(offset, 1, value);
      if (power != 0 && offset == power + 4) {
        isAwake = (space.read(offset, 1) & POWER_STATE) != D3HOT;
      }
    }
    return false;
  }
}
