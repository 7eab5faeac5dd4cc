// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import io.jvfio.linux.uapi.PciRegs;
import io.jvfio.model.pci.MsixTable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The common part of PCI functions: identity, BARs made of {@link RegisterMap}s, capabilities,
 * interrupts, and the ways to the host. A {@link PciModel} has one and is left with what its device
 * does. Source: PCI Local Bus Specification 3.0, chapter 6; PCI Express Base Specification, chapter
 * 7.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="function"}
 *
 * <p>Not safe for use by several threads at once, but for {@link #requestPoll} and {@link #signal}.
 */
public final class PciFunction {

  /** Power management 1.2. */
  static final int POWER_VERSION = 3;

  /** An endpoint of PCI Express 2. */
  static final int EXPRESS_VERSION = 2;

  static final int EXPRESS_REPORTS =
      PciRegs.PCI_EXP_DEVCTL_CERE
          | PciRegs.PCI_EXP_DEVCTL_NFERE
          | PciRegs.PCI_EXP_DEVCTL_FERE
          | PciRegs.PCI_EXP_DEVCTL_URRE;

  /** One lane of 2.5 GT/s. */
  static final int EXPRESS_LINK = PciRegs.PCI_EXP_LNKSTA_CLS_2_5GB | PciRegs.PCI_EXP_LNKSTA_NLW_X1;

  private static final int MSIX_PAGE = 4096;
  private static final int MOST_VECTORS = 2048;
  private static final int MOST_MESSAGES = 32;

  private final ConfigSpace config;
  private final List<Bar> bars;
  private final @Nullable RegisterMap[] maps = new RegisterMap[PciRegs.PCI_STD_NUM_BARS];
  private final @Nullable MsixTable msixTable;
  private final int msixVectors;
  private @Nullable DmaPort dma;
  private @Nullable InterruptPort interrupts;
  private volatile @Nullable Runnable pollRequest;
  private long causes;
  private boolean isLineAsserted;

  private PciFunction(Builder builder) {
    config = builder.config();
    bars = List.copyOf(builder.bars);
    for (int i = 0; i < bars.size(); i++) {
      maps[bars.get(i).index()] = builder.maps.get(i);
    }
    msixTable = builder.msixTable;
    msixVectors = builder.msixVectors;
  }

  /**
   * Begins a function.
   *
   * @param classCode class, subclass and programming interface, such as 0x010802
   */
  public static Builder builder(int vendor, int device, int classCode) {
    return new Builder(vendor, device, classCode);
  }

  /** The answer to {@link DeviceModel#config}. */
  public ConfigSpace config() {
    return config;
  }

  /** The answer to {@link DeviceModel#bars}. */
  public List<Bar> bars() {
    return bars;
  }

  /** The answer to {@link DeviceModel#msixVectors}. */
  public int msixVectors() {
    return msixVectors;
  }

  /** Does {@link DeviceModel#connect}. */
  public void connect(DmaPort dmaPort, InterruptPort interruptPort) {
    dma = dmaPort;
    interrupts = interruptPort;
  }

  /** Does {@link DeviceModel#connectPoll}. */
  public void connectPoll(Runnable request) {
    pollRequest = request;
  }

  /** Does {@link DeviceModel#read}. */
  public long read(int bar, long offset, int width) {
    return registers(bar).read(offset, width);
  }

  /** Does {@link DeviceModel#write}. */
  public void write(int bar, long offset, int width, long value) {
    registers(bar).write(offset, width, value);
  }

  /**
   * The registers behind a BAR.
   *
   * @throws IllegalArgumentException if the function has no such BAR
   */
  public RegisterMap registers(int bar) {
    var map = maps[bar];
    if (map == null) {
      throw new IllegalArgumentException("the function has no BAR " + bar);
    }
    return map;
  }

  /** Registers that its maps keep are as after power-on, and the interrupt line is down. */
  public void reset() {
    for (var map : maps) {
      if (map != null) {
        map.reset();
      }
    }
    if (msixTable != null) {
      msixTable.reset();
    }
    acknowledge(-1);
  }

  /**
   * The way to memory.
   *
   * @throws IllegalStateException before the function is connected
   */
  public DmaPort dma() {
    var port = dma;
    if (port == null) {
      throw new IllegalStateException("the function has no host yet");
    }
    return port;
  }

  /** Sends a message-signalled interrupt, if the host has such enabled. */
  public void signal(int vector) {
    var port = interrupts;
    if (port != null) {
      port.signal(vector);
    }
  }

  /**
   * The causes of interrupts that were raised and not acknowledged: a register that many devices
   * have, of one bit for each cause.
   */
  public long causes() {
    return causes;
  }

  /**
   * Raises an interrupt: the line is up while there is any cause, and message 0 is sent. Without a
   * new cause nothing is done.
   */
  public void raise(long newCauses) {
    if (newCauses != 0) {
      causes |= newCauses;
      signal(0);
      line(true);
    }
  }

  /** Takes causes back; without any left, the line is down. */
  public void acknowledge(long oldCauses) {
    causes &= ~oldCauses;
    line(causes != 0);
  }

  /** Sets the level of the interrupt line; the host is told of changes only. */
  public void line(boolean asserted) {
    if (asserted == isLineAsserted) {
      return;
    }
    isLineAsserted = asserted;
    int status = config.read(PciRegs.PCI_STATUS, 2);
    config.set(
        PciRegs.PCI_STATUS,
        2,
        asserted ? status | PciRegs.PCI_STATUS_INTERRUPT : status & ~PciRegs.PCI_STATUS_INTERRUPT);
    var port = interrupts;
    if (port != null) {
      port.line(asserted);
    }
  }

  /** Asks the host for {@link DeviceModel#poll}; from any thread. */
  public void requestPoll() {
    var request = pollRequest;
    if (request != null) {
      request.run();
    }
  }

  @Override
  public String toString() {
    return "function of %04x:%04x, BARs %s"
        .formatted(
            config.read(PciRegs.PCI_VENDOR_ID, 2), config.read(PciRegs.PCI_DEVICE_ID, 2), bars);
  }

  /** A function in the making. Capabilities have the order in which they are added. */
  public static final class Builder {
    private final int vendor;
    private final int device;
    private final int classCode;
    private int revision;
    private int subsystemVendor;
    private int subsystemDevice;
    private boolean hasLine;
    private boolean isExpress;
    private final List<Bar> bars = new ArrayList<>();
    private final List<RegisterMap> maps = new ArrayList<>();
    private final List<Capability> capabilities = new ArrayList<>();
    private @Nullable MsixTable msixTable;
    private int msixVectors;

    private record Capability(int id, int byteSize, Content content) {}

    private interface Content {
      void write(ConfigSpace config, int offset);
    }

    private Builder(int vendor, int device, int classCode) {
      this.vendor = vendor;
      this.device = device;
      this.classCode = classCode;
    }

    /** With a revision; 0 unless this is called. */
    public Builder revision(int id) {
      revision = id;
      return this;
    }

    /** With a subsystem; of vendor and device 0 unless this is called. */
    public Builder subsystem(int vendorId, int deviceId) {
      subsystemVendor = vendorId;
      subsystemDevice = deviceId;
      return this;
    }

    /** With a BAR of memory, with an address of 32 bits. */
    public Builder memory(int index, RegisterMap registers) {
      return bar(Bar.memory(index, registers.byteSize()), registers);
    }

    /** With a BAR of I/O ports. */
    public Builder ports(int index, RegisterMap registers) {
      return bar(Bar.ports(index, registers.byteSize()), registers);
    }

    /** With a BAR of any kind. */
    public Builder bar(Bar bar, RegisterMap registers) {
      if (bar.byteSize() != registers.byteSize()) {
        throw new IllegalArgumentException(
            "BAR %d has %d bytes, and '%s' has %d"
                .formatted(bar.index(), bar.byteSize(), registers.name(), registers.byteSize()));
      }
      bars.add(bar);
      maps.add(registers);
      return this;
    }

    /** With an interrupt line. */
    public Builder line() {
      hasLine = true;
      return this;
    }

    /** With power management: the states D0 and D3hot, between which nothing is lost. */
    public Builder powerManagement() {
      capabilities.add(
          new Capability(
              PciRegs.PCI_CAP_ID_PM,
              PciRegs.PCI_PM_SIZEOF,
              (config, at) ->
                  config
                      .set(at + PciRegs.PCI_PM_PMC, 2, POWER_VERSION)
                      .set(at + PciRegs.PCI_PM_CTRL, 2, PciRegs.PCI_PM_CTRL_NO_SOFT_RESET)
                      .allowWrites(at + PciRegs.PCI_PM_CTRL, 2, PciRegs.PCI_PM_CTRL_STATE_MASK)));
      return this;
    }

    /**
     * With MSI.
     *
     * @param messages how many: a power of two, at most 32
     */
    public Builder msi(int messages) {
      if (messages < 1 || messages > MOST_MESSAGES || Integer.bitCount(messages) != 1) {
        throw new IllegalArgumentException(
            "MSI has 1, 2, 4, 8, 16 or 32 messages, not " + messages);
      }
      int control = PciRegs.PCI_MSI_FLAGS_64BIT | Integer.numberOfTrailingZeros(messages) << 1;
      capabilities.add(
          new Capability(
              PciRegs.PCI_CAP_ID_MSI,
              14,
              (config, at) ->
                  config
                      .set(at + PciRegs.PCI_MSI_FLAGS, 2, control)
                      .allowWrites(
                          at + PciRegs.PCI_MSI_FLAGS,
                          2,
                          PciRegs.PCI_MSI_FLAGS_ENABLE | PciRegs.PCI_MSI_FLAGS_QSIZE)
                      .allowWrites(at + PciRegs.PCI_MSI_ADDRESS_LO, 4, ~3)
                      .allowWrites(at + PciRegs.PCI_MSI_ADDRESS_HI, 4, -1)
                      .allowWrites(at + PciRegs.PCI_MSI_DATA_64, 2, 0xffff)));
      return this;
    }

    /**
     * With MSI-X, whose table has a BAR of its own.
     *
     * @param bar index of that BAR
     * @param vectors how many: 1 to 2048
     */
    public Builder msix(int bar, int vectors) {
      if (vectors < 1 || vectors > MOST_VECTORS) {
        throw new IllegalArgumentException("MSI-X has 1 to 2048 vectors, not " + vectors);
      }
      var table = new MsixTable(vectors);
      int words = table.byteSize() / Integer.BYTES;
      int pending = Math.max(MSIX_PAGE, Integer.highestOneBit(2 * table.byteSize() - 1));
      memory(
          bar,
          RegisterMap.builder("MSI-X", 2L * pending)
              .array(
                  "table",
                  0,
                  Integer.BYTES,
                  words,
                  Integer.BYTES,
                  i -> table.read32(Integer.BYTES * i),
                  (i, value) -> table.write32(Integer.BYTES * i, (int) value))
              .build());
      msixTable = table;
      msixVectors = vectors;
      capabilities.add(
          new Capability(
              PciRegs.PCI_CAP_ID_MSIX,
              PciRegs.PCI_CAP_MSIX_SIZEOF,
              (config, at) ->
                  config
                      .set(at + PciRegs.PCI_MSIX_FLAGS, 2, vectors - 1)
                      .allowWrites(
                          at + PciRegs.PCI_MSIX_FLAGS,
                          2,
                          PciRegs.PCI_MSIX_FLAGS_ENABLE | PciRegs.PCI_MSIX_FLAGS_MASKALL)
                      .set(at + PciRegs.PCI_MSIX_TABLE, 4, bar)
                      .set(at + PciRegs.PCI_MSIX_PBA, 4, pending | bar)));
      return this;
    }

    /** Makes it a PCI Express endpoint that can be reset by itself, with one lane of 2.5 GT/s. */
    public Builder express() {
      isExpress = true;
      capabilities.add(
          new Capability(
              PciRegs.PCI_CAP_ID_EXP,
              0x3c,
              (config, at) ->
                  config
                      .set(at + PciRegs.PCI_EXP_FLAGS, 2, EXPRESS_VERSION)
                      .set(
                          at + PciRegs.PCI_EXP_DEVCAP,
                          4,
                          PciRegs.PCI_EXP_DEVCAP_FLR | PciRegs.PCI_EXP_DEVCAP_RBER)
                      .allowWrites(at + PciRegs.PCI_EXP_DEVCTL, 2, EXPRESS_REPORTS)
                      .set(
                          at + PciRegs.PCI_EXP_LNKCAP,
                          4,
                          PciRegs.PCI_EXP_LNKCAP_ASPM_L0S | EXPRESS_LINK)
                      .set(at + PciRegs.PCI_EXP_LNKSTA, 2, EXPRESS_LINK)));
      return this;
    }

    /**
     * The function.
     *
     * @throws IllegalArgumentException if two BARs, or two capabilities, are in the same place
     */
    public PciFunction build() {
      requireDistinctBars();
      requireDistinctCapabilities();
      return new PciFunction(this);
    }

    private void requireDistinctBars() {
      var taken = new @Nullable Bar[PciRegs.PCI_STD_NUM_BARS];
      for (int i = 0; i < bars.size(); i++) {
        var bar = bars.get(i);
        for (int index = bar.index(); index <= bar.index() + (bar.is64Bit() ? 1 : 0); index++) {
          if (taken[index] != null) {
            throw new IllegalArgumentException(
                "BAR %d of '%s' takes the place of another"
                    .formatted(bar.index(), maps.get(i).name()));
          }
          taken[index] = bar;
        }
      }
    }

    private void requireDistinctCapabilities() {
      var ids = new HashSet<Integer>();
      for (var capability : capabilities) {
        if (!ids.add(capability.id)) {
          throw new IllegalArgumentException(
              "capability 0x%02x was added twice".formatted(capability.id));
        }
      }
    }

    private ConfigSpace config() {
      int command = PciRegs.PCI_COMMAND_MASTER | PciRegs.PCI_COMMAND_SERR;
      for (var bar : bars) {
        command |= bar.hasPorts() ? PciRegs.PCI_COMMAND_IO : PciRegs.PCI_COMMAND_MEMORY;
      }
      var config =
          new ConfigSpace(isExpress ? PciRegs.PCI_CFG_SPACE_EXP_SIZE : PciRegs.PCI_CFG_SPACE_SIZE)
              .set(PciRegs.PCI_VENDOR_ID, 2, vendor)
              .set(PciRegs.PCI_DEVICE_ID, 2, device)
              .allowWrites(
                  PciRegs.PCI_COMMAND,
                  2,
                  hasLine ? command | PciRegs.PCI_COMMAND_INTX_DISABLE : command)
              .set(PciRegs.PCI_CLASS_REVISION, 4, classCode << 8 | revision)
              .allowWrites(PciRegs.PCI_CACHE_LINE_SIZE, 1, 0xff)
              .set(PciRegs.PCI_SUBSYSTEM_VENDOR_ID, 2, subsystemVendor)
              .set(PciRegs.PCI_SUBSYSTEM_ID, 2, subsystemDevice)
              .allowWrites(PciRegs.PCI_INTERRUPT_LINE, 1, 0xff)
              .set(PciRegs.PCI_INTERRUPT_PIN, 1, hasLine ? 1 : 0);
      for (var bar : bars) {
        int at = PciRegs.PCI_BASE_ADDRESS_0 + Integer.BYTES * bar.index();
        int flags =
            bar.hasPorts()
                ? PciRegs.PCI_BASE_ADDRESS_SPACE_IO
                : (bar.is64Bit() ? PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_64 : 0)
                    | (bar.prefetchable() ? PciRegs.PCI_BASE_ADDRESS_MEM_PREFETCH : 0);
        config
            .set(at, 4, flags)
            .allowWrites(at, 4, (int) -bar.byteSize() & PciRegs.PCI_BASE_ADDRESS_MEM_MASK);
        if (bar.hasPorts()) {
          config.allowWrites(at, 4, (int) -bar.byteSize());
        }
        if (bar.is64Bit()) {
          config.allowWrites(at + 4, 4, (int) (-bar.byteSize() >>> 32));
        }
      }
      int pointer = PciRegs.PCI_CAPABILITY_LIST;
      int at = PciRegs.PCI_STD_HEADER_SIZEOF;
      for (var capability : capabilities) {
        config
            .set(PciRegs.PCI_STATUS, 2, PciRegs.PCI_STATUS_CAP_LIST)
            .set(pointer, 1, at)
            .set(at, 1, capability.id);
        capability.content.write(config, at);
        pointer = at + PciRegs.PCI_CAP_LIST_NEXT;
        at += (capability.byteSize + 3) & ~3;
      }
      return config;
    }

    @Override
    public String toString() {
      return "builder of %04x:%04x, BARs %s".formatted(vendor, device, bars);
    }
  }
}
